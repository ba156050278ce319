"""Facts of a healthy environment, for tests that plant one fault in them."""

from pipeline.checkup.child_process import Loading
from pipeline.checkup.facts import Facts, Pins
from pipeline.checkup.machine import Folder, Machine

GIB = 1 << 30

INSTALLED = {
    "apache-beam": "2.77.0",
    "numpy": "1.26.4",
    "protobuf": "4.25.9",
    "pyarrow": "25.0.1",
    "tensorflow": "2.16.2",
    "tensorflow-io": "0.37.1",
    "tensorflow-recommenders": "0.7.7",
    "tensorflow-serving-api": "2.16.1",
    "tf-keras": "2.16.0",
}
REQUIREMENTS = {
    "apache-beam": ("protobuf<7.0.0.dev0,>=3.20.3", "pyarrow<26.0.0,>=14.0.1", "numpy<2.5.0"),
    "tensorflow": ("protobuf<5.0.0dev,>=3.20.3", "numpy<2.0.0,>=1.23.5"),
    "tensorflow-serving-api": ("protobuf<5.0.0dev,>=3.20.3", "tensorflow<3,>=2.16.1"),
    "tf-keras": ("tensorflow<2.17,>=2.16",),
}
FACTS = Facts(
    python=(3, 11, 7),
    installed=INSTALLED,
    requirements=REQUIREMENTS,
    pins=Pins(
        "setup.py",
        {"tensorflow": "==2.16.2", "protobuf": "==4.25.*", "pyarrow": "==25.*"},
        "requirements/dev.lock",
        INSTALLED,
    ),
    loading={
        "tensorflow": Loading(
            {"tensorflow": "2.16.2", "gpus": 0, "keras": "tf_keras", "recommenders": True}
        ),
        "tensorflow_io": Loading({"schemes": ["file", "s3"]}),
        "serving_api": Loading({"protobuf": "upb"}),
        "beam": Loading({"pyarrow": True, "beam": True}),
    },
    environment={},
    serving_image="2.16.1",
    beam_image="2.77.0",
    folders=[Folder("/tmp", "/tmp", "", 100 * GIB)],
    remote_paths={"s3://bucket/log": Loading({"exists": True, "tensorflow": True})},
    machine=Machine(
        cpus=4,
        cpu_quota=None,
        memory=16 * GIB,
        memory_limit=None,
        memory_free=12 * GIB,
        gpu_device=False,
    ),
)
