"""Facts of the 35 sets of MedSegBench (Kus & Aydin 2024, doi:10.1038/s41597-024-04159-2).

From the package medsegbench 1.0.0, which imports torch and so is asked by a test alone. The
modalities are those of the sources: by the papers they cite, the images of `usforkidney` and
`abdomenus` were made from CT.
"""

from typing import Literal, NamedTuple

SIZES = (128, 256, 512)  # side of the images in pixels


class Facts(NamedTuple):
    """Of one set; `splits` are the official numbers of train, val and test images.

    Attributes:
        record: of Zenodo, which holds the files.
        any_value: the package says "non-zero" of the foreground, not 1.
    """

    modality: str
    channels: Literal[1, 3]
    splits: tuple[int, int, int]
    licence: str = "unknown"
    any_value: bool = False
    record: str = "13358372"


FACTS: dict[str, Facts] = {
    # those of the OmniRad study
    "busi": Facts("breast ultrasound", 1, (452, 64, 131), "CC0-1.0"),
    "covidquex": Facts("chest radiograph", 1, (1864, 466, 583), "CC-BY-SA-4.0"),
    "fhpsaop": Facts("transperineal ultrasound", 1, (2800, 400, 800), "CC-BY-NC-4.0"),
    "mosmedplus": Facts("chest CT", 3, (1910, 272, 547), "CC-BY-NC-ND-3.0"),
    "pandental": Facts("panoramic dental radiograph", 1, (81, 11, 24), "CC-BY-4.0", any_value=True),
    "promise12": Facts("prostate MR", 1, (1031, 147, 295)),
    "ultrasoundnerve": Facts("neck ultrasound", 1, (1651, 223, 449)),
    "usforkidney": Facts("kidney ultrasound, synthesised from CT", 1, (3210, 458, 918), "GPL-2.0"),
    # the others
    "abdomenus": Facts("abdominal ultrasound, simulated", 1, (569, 64, 293)),
    "bbbc010": Facts("roundworm microscopy", 1, (70, 10, 20)),
    "bkai-igh": Facts("colonoscopy", 3, (700, 100, 200)),
    "brifiseg": Facts("cell microscopy, brightfield", 1, (1005, 115, 240), "CC-BY-4.0"),
    "cellnuclei": Facts("microscopy of nuclei", 3, (469, 67, 134), "CC0-1.0"),
    "chasedb1": Facts("fundus photograph", 3, (19, 2, 7), "CC-BY-4.0"),
    "chuac": Facts("coronary angiogram", 1, (21, 3, 6), "CC-BY-4.0"),
    "covid19radio": Facts("chest radiograph", 1, (14814, 2115, 4236), "non-commercial"),
    "cystoidfluid": Facts("retinal OCT", 3, (703, 101, 202), "CC-BY-NC-SA-4.0"),
    "dca1": Facts("coronary angiogram", 1, (93, 13, 28), "research and comparison"),
    "deepbacs": Facts("bacteria microscopy", 1, (17, 2, 15), "CC-BY-4.0"),
    "drive": Facts("fundus photograph", 3, (18, 2, 20), "CC-BY-4.0"),
    "dynamicnuclear": Facts(
        "fluorescence microscopy of nuclei",
        1,
        (4950, 1417, 717),
        "Modified Apache-2.0",
        any_value=True,
    ),
    "idrib": Facts("fundus photograph", 3, (47, 6, 27), "CC-BY-4.0"),
    "isic2016": Facts("dermatoscopy", 3, (810, 90, 379), "CC-BY-NC-4.0"),
    "isic2018": Facts("dermatoscopy", 3, (2594, 100, 1000), "CC-BY-NC-4.0"),
    "kvasir": Facts("colonoscopy", 3, (700, 100, 200), "research and education only"),
    "m2caiseg": Facts("laparoscopy", 3, (245, 307, 62), "CC-BY-NC-4.0"),
    "monusac": Facts("histology", 3, (188, 21, 101), "CC-BY-NC-SA-4.0"),
    "nuclei": Facts("breast histology", 3, (98, 14, 29), "BSD-3-Clause"),
    "nuset": Facts("fluorescence microscopy of nuclei", 1, (2385, 340, 683), "CC-BY-4.0"),
    "polypgen": Facts("colonoscopy", 3, (984, 140, 288), "CC-BY-4.0"),
    "robotool": Facts("surgical endoscopy", 3, (350, 50, 100), "CC-BY-4.0"),
    "tnbcnuclei": Facts("breast histology", 3, (35, 5, 10), "CC-BY-4.0"),
    "uwaterlooskincancer": Facts("skin photograph", 3, (143, 19, 44), "non-commercial"),
    "wbc": Facts("blood cell microscopy", 3, (280, 40, 80), "CC-BY-4.0", record="13359660"),
    "yeaz": Facts("yeast microscopy", 1, (360, 96, 251), record="13359660"),
}

# names of the mask values 0, 1, ..., parted by "; "; the other sets have BINARY
BINARY = "background; foreground"
MASK_CLASSES = {
    "fhpsaop": "background; pubic symphysis; fetal head",
    "abdomenus": (
        "background; liver; kidney; pancreas; vessels; adrenals; gallbladder; bones; spleen"
    ),
    "bkai-igh": "background; neoplastic polyps; non-neoplastic polyps",
    "m2caiseg": (
        "unknown; grasper; bipolar; hook; scissors; clipper; irrigator; specimen-bag; trocars; "
        "clip; liver; gall-bladder; fat; organ; artery; intestine; bile; blood; black"
    ),
    "monusac": "background; Epithelial; Lymphocyte; Macrophage; Neutrophil; Ambiguous",
    "wbc": "background; cytoplasm; nucleus",
}

# The collections that the images were taken from, where that is not the set of this name alone.
# covid19radio: as its authors list them (Chowdhury et al. 2020, doi:10.1109/ACCESS.2020.3010287).
ORIGINS = {
    "covid19radio": ("padchest", "rsna-pneumonia", "kermany-chest-radiographs"),
    "isic2016": ("isic-archive",),
    "isic2018": ("isic-archive",),
}

# MD5 of the files, as md5sum prints it
MD5 = """\
68877751adef0ab639de73946aac0985  busi_128.npz
198aea70968b71adf593b32c41a6e995  busi_256.npz
fab7550a6c5240e35da8ce5d31bc1c61  busi_512.npz
338a3118801d5cbcbb5986bb5178a7a2  covidquex_128.npz
75861f1f34a4af16f1ab91d93b5518a0  covidquex_256.npz
ea1a64adbb57ca7a60373c1b244fcff6  covidquex_512.npz
650747dbd726fb5560ca767af979537c  fhpsaop_128.npz
db6f6aa47f03dd67d2f1d23d2ce7081e  fhpsaop_256.npz
337d11e705ae507d94fbc8f06bc15ae5  fhpsaop_512.npz
537e46abb7623a1c988ef49c32f66d7d  mosmedplus_128.npz
9a5cc1ee6c714cd64783814df5d6ec63  mosmedplus_256.npz
15fa5aa86962803e93e6d683dcf329d5  mosmedplus_512.npz
08a455cb39ddd0e80ac79c01a631fd4c  pandental_128.npz
bbf9aecae003ab868958c8bb66fdf534  pandental_256.npz
6387bfe558ea9cabab80460ddb4f8112  pandental_512.npz
879618db3641a09fa6bdec6be93e13c5  promise12_128.npz
f5dbdbfe05b80808c4d541a63f64521c  promise12_256.npz
6943b242f5b8d65600fe6486eb71b483  promise12_512.npz
5180ca0d1f0654765d23bc30fc073e4a  ultrasoundnerve_128.npz
24bca8f55e20c46c4891ae0fc92421f2  ultrasoundnerve_256.npz
9f6e4127e75595e9a63f0469af01a605  ultrasoundnerve_512.npz
bc361af0f49f47a4d60b0717fb206661  usforkidney_128.npz
4425d8628061a254ba83659c76602f20  usforkidney_256.npz
aad4fd208535c90d9a8bebe75714698c  usforkidney_512.npz
86b0bbd84f7df3726c29e6b605c83a72  abdomenus_128.npz
c2eb21d1a93d857c472b01a72a210030  abdomenus_256.npz
6e46ed122fea25c7370d86073ea38188  abdomenus_512.npz
ee120b3e524d0e545cd0ef14a3a51769  bbbc010_128.npz
b4c4e7efab9cc6106557bf8925203203  bbbc010_256.npz
b13cb2a52ff3705e8df1bd88cd1a7d54  bbbc010_512.npz
3197cdeb1a4b0d2bec47d7a8ea3afc8f  bkai-igh_128.npz
3c27aa13dfa8e3039fcb173c0c62cef2  bkai-igh_256.npz
f0d977e33084307683475dbc160a3dc1  bkai-igh_512.npz
8ad36916999769d94a98b838226fd589  brifiseg_128.npz
be00218d75aaa50624c63077e9efc843  brifiseg_256.npz
aa1bda7ba872defaba2c8762af1987e7  brifiseg_512.npz
65440774822a5d13e015915661cc9f6c  cellnuclei_128.npz
bce679a41ed55486a0a5b0a7471f2b43  cellnuclei_256.npz
3fca3b448eb4985343d80fe0819ac4d6  cellnuclei_512.npz
55e391c5002493c77ceb912ef1070cbe  chasedb1_128.npz
d72833a2603872150a12b2763cfe454f  chasedb1_256.npz
7c94b4d937474a52605cc5c46a092660  chasedb1_512.npz
8d3c9e695209c3268828b7e91dac8fed  chuac_128.npz
0d968dc7adf83f5f7348b88b807dbf14  chuac_256.npz
e5dffcc711859e3b67fc9cfefe4f1372  chuac_512.npz
49c72b01477c1656acd2842ec71df5fd  covid19radio_128.npz
f1b1de2f1a22d163f553d9b554c742ec  covid19radio_256.npz
69c39062cd60a45cd8d0ed1a1b43e493  covid19radio_512.npz
af9e66b097c3f78d3e1a5b88efdb85cf  cystoidfluid_128.npz
d1eadcfcc12fd560fcb52afc596422da  cystoidfluid_256.npz
e16c60557bd7ec391b5fffb7feb9d1e1  cystoidfluid_512.npz
cf95012398d384bb82f53b84c8051df8  dca1_128.npz
1488e23fa62d49c6c275d634e78eac5b  dca1_256.npz
020059b0e1d0afb8b5d41d7c8e48cd78  dca1_512.npz
496516a356190d4d84e081224182583b  deepbacs_128.npz
5bd2d12a641fed6889a148cfb8ab4fd3  deepbacs_256.npz
75c2299a6f7e2386d3342ced7e7827ca  deepbacs_512.npz
39582fd6528bdd7b66ed92c6dd9f26aa  drive_128.npz
56f96cf647df7ba48c56586c8d0d2cf8  drive_256.npz
9182813e1f337e6207ce421847fb0b0b  drive_512.npz
d03dd5f0111572ded704088547cdd343  dynamicnuclear_128.npz
23f77cfaa57f97379041cf5642d3ea7a  dynamicnuclear_256.npz
a9fa203eea7adfae4d6221518a9a0a76  dynamicnuclear_512.npz
f008052164fa4cc79b34df984a0e3eac  idrib_128.npz
543c16d496b843655b65df6128474275  idrib_256.npz
ed2f6550e8bb7b9b0ab82c457d9a30be  idrib_512.npz
4fcee7c35a990f25f2c82ad3ed2f4f54  isic2016_128.npz
ee3fc6b5fffdc039e963ab21ff18e42e  isic2016_256.npz
344fea72eeb0870421c88140440831e9  isic2016_512.npz
a89f5259e99e146f1e983173ced69903  isic2018_128.npz
03680ffc3fc8e0221f161d445c8a94d4  isic2018_256.npz
000a76e688e6d48543b9563a8c406ae4  isic2018_512.npz
2c703d693d16437a2891f1aec900a1ea  kvasir_128.npz
4ce7118decc9973a252e9a9dd6c1e47e  kvasir_256.npz
f3ab71c25d07077c85b5d98cfe615f9d  kvasir_512.npz
1e56c9f134dd97612d5cb0d3cbc8dc6b  m2caiseg_128.npz
e82a9d636914beea1516953aa1afbb23  m2caiseg_256.npz
3723c8d5acb9b046c70752847f3ed426  m2caiseg_512.npz
b8866d8ad0ed2bdcba7dd1bc82ea4e62  monusac_128.npz
4fd7301493f76c79de2fee37faa30fce  monusac_256.npz
2b75fd1ba3b91586a2b0da1594a70d29  monusac_512.npz
ed5f59ec7b70a44dbe5215a9adb39963  nuclei_128.npz
b7039dba2f084063b33d89ea4ec90cb6  nuclei_256.npz
ac99716bd0d0d7ee886feb28ed5549b1  nuclei_512.npz
fa00c1d07f70bebfde143cdd1fb71a0d  nuset_128.npz
adca30f019226ac54edfcf065b407d1c  nuset_256.npz
0f8721a9df92da77ec1825c7917e6886  nuset_512.npz
ff777edab5fccb224d44426364eb384c  polypgen_128.npz
325423a8bfaa582ffa283c95acce6992  polypgen_256.npz
43a05773a4ce5cece31bb63dfa7b897d  polypgen_512.npz
6b7517c8637b44d11d9af7accdc3d3c8  robotool_128.npz
7e644bc28160db7e4af27b164844f136  robotool_256.npz
72d142950626d71b1df5093ae56172a8  robotool_512.npz
011766acd5f140a7ad577b13b45b34ec  tnbcnuclei_128.npz
5b2a8a2ef9d18971cc27c0c4529f0fcf  tnbcnuclei_256.npz
92189b8e385ab625a64ce9823ac354aa  tnbcnuclei_512.npz
46e18bc41733bf5750738e418b1c7cbb  uwaterlooskincancer_128.npz
08636b16baf28a5bbbf40a664095a2b5  uwaterlooskincancer_256.npz
1bf86aae7d81853f973b8b7ccb8a048e  uwaterlooskincancer_512.npz
7336757d11cec155d3cb940d3ab92372  wbc_128.npz
5002dfde36536a9f04eeeae87e0631ec  wbc_256.npz
30d13d8851d27731cdfb51e64cc4ea6b  wbc_512.npz
e114e0f00da84e5a8940bbf7e7e06e99  yeaz_128.npz
e78c3fbb905650f7c86ecd11deec5569  yeaz_256.npz
7328e0783e758d5da76729d420116a25  yeaz_512.npz
"""
