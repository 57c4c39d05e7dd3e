"""The Pulumi project and its stacks: their configuration, how a run is told, and the real CLI where there is one."""
