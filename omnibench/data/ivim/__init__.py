"""`ivim`: generated signals of diffusion MRI with incoherent motion of blood, two noise levels.

b-values and ranges of parameters are those of Epstein et al. 2024, Choice of training label matters
(MELBA 2024:002). Training and validation voxels are drawn evenly over the ranges; the test holds a
grid of true parameters, of each many draws of the noise.
"""

from omnibench.cards import DatasetCard
from omnibench.catalogue import register_dataset
from omnibench.data.ivim.protocol import Protocol

VERSION = 1  # part of every seed: raise it with any change that alters a signal
LEVELS = 5  # of each of f, Ds and Df in the test's grid
DRAWS = 100  # of the noise, of each true parameter of the test
SPLITS = {"train": 80_000, "val": 20_000, "test": LEVELS**3}
B_VALUES = (0, 10, 20, 30, 50, 80, 100, 200, 400, 800)

SNR_30 = Protocol(B_VALUES, snr=30)
SNR_15 = Protocol(B_VALUES, snr=15)


def ivim_card(name: str, reader: str, protocol: Protocol, version: int = VERSION) -> DatasetCard:
    """Return the card of generated signals under a protocol.

    Args:
        reader: "module:attribute" of a function (card, data directory) -> Dataset, which calls
            `omnibench.data.ivim.reader.draw` with the same protocol.
        version: raised when the protocol of this name changes.
    """
    b_values = ", ".join(f"{b:g}" for b in protocol.b_values)
    return DatasetCard(
        id=name,
        reader=reader,
        tasks=("qmri",),
        modality="diffusion MR (generated)",
        splits=SPLITS,
        primary={"qmri": "error"},
        licence="Apache-2.0",
        citation="doi:10.59275/j.melba.2024-geb5",
        version=version,
        note=f"Generated signals of two compartments at b = {b_values} s/mm\N{SUPERSCRIPT TWO} "
        f"with Rician noise, SNR {protocol.snr:g} where b is 0 and S0 is 1: its scores say nothing "
        "of clinical worth.",
    )


register_dataset(ivim_card("ivim", f"{__name__}.reader:read", SNR_30))
register_dataset(ivim_card("ivim-snr15", f"{__name__}.reader:read_snr15", SNR_15))
