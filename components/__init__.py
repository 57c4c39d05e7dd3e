"""The stack's components: one ComponentResource a file. No text is rendered here and no address computed."""
