"""The proof of who was told what: one file that anybody can check, without the gateway. Pure."""
