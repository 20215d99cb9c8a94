"""The control plane: moto's services, wrapped from outside."""
