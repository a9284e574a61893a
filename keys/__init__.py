"""Who may say it: deterministic CBOR, COSE, keys, root, policy and the trusted set. Pure but for signers."""
