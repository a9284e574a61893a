"""What runs: the gateway between store and broker, and everything that it talks to."""
