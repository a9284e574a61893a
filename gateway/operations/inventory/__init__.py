"""What is known of devices beside what they say: others' lists, facts by hand, the register as a whole."""
