"""A certificate made by the farm itself, for clients that want TLS and do not look whose it is (Electric Sheep 3.0)."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sheepfold.files import sync

LIFE_DAYS = 3650


def ensure_certificate(folder: Path, host: str, now: int) -> tuple[Path, Path]:
    """Return the paths of a folder's certificate and its key, made where there was none; an empty file is none.

    Whatever breaks its making off, a certificate that is there fits the key. Raises OSError where none can be written.
    """
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    if not (_is_written(cert_path) and _is_written(key_path)):
        folder.mkdir(parents=True, exist_ok=True)
        cert_path.unlink(missing_ok=True)  # it does not fit the new key
        sync(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        _write(key_path, _key_bytes(key), 0o600)
        _write(cert_path, _certificate(key, host, now).public_bytes(serialization.Encoding.PEM), 0o666)
    return cert_path, key_path


def _is_written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _certificate(key: ec.EllipticCurvePrivateKey, host: str, now: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    since = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + datetime.timedelta(days=LIFE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_alternative(host), x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is there whole or not at all; the umask takes from its mode what it takes from any."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    partial.touch(mode)
    partial.write_bytes(data)
    sync(partial)
    partial.replace(path)
    sync(path.parent)
