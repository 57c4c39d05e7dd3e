"""What must hold of the stack's resources, whoever changes the program: a pack for `pulumi preview --policy-pack`."""
