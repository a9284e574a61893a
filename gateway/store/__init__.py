"""What happened, in one database: tables, transactions, and everything that reads or writes them."""
