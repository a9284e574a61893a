"""What teams and partners are told beside the notice: the same key messages, and their own questions."""
