"""What an owner sees: lamp, small screen, console. Pure: a notice and its text in, lines or pixels out."""
