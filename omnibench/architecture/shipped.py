"""What is known of the backbones that omnibench itself builds. No torch here."""

from omnibench.architecture.facts import Architecture
from omnibench.architecture.floors import FLOORS

# By a card's source.
SHIPPED = {
    **FLOORS,
    "omnibench.backbones.astra:inflated_resnet152": Architecture(
        "cnn", width=2048, staged=False, volumes=True
    ),
    "omnibench.backbones.medmnist:resnet18": Architecture("cnn", width=512, staged=False),
}
