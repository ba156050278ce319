"""Certificates for tests, signed by an authority that was made in the test."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


class Authority:
    """Signs certificates; its own lies in `root`.

    Args:
      folder: gets the files.
      name: of the authority.
    """

    def __init__(self, folder, name):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _subject(name)
        certificate = _built(self._name, self._name, self._key, self._key, None)
        self.root = str(folder / f"{name}.pem")
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(_PEM))

    def signed(self, name, password=None):
        """Returns the files of a certificate for a host, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _built(_subject(name), self._name, key, self._key, name)
        files = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(_PEM))
        encryption = (
            serialization.NoEncryption()
            if password is None
            else serialization.BestAvailableEncryption(password)
        )
        files[1].write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, encryption))
        return tuple(map(str, files))


def _subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _built(subject, issuer, key, signing_key, host):
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    )
    if host is not None:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signing_key, hashes.SHA256())
