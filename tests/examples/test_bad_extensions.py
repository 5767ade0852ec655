"""An extension that breaks its contract is named by its file and member, and never half done."""
