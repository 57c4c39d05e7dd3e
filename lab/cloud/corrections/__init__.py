"""Where stock moto differs from EC2, put right, a module a subject; `install` puts all of it in place."""

from lab.cloud.corrections.install import install

__all__ = ["install"]
