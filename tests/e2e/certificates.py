"""A certificate authority of a test's own, and the good and bad certificates it hands out; made by the openssl program."""
import os
import subprocess
from dataclasses import dataclass

EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
KEY_PASSWORD = "open sesame"


@dataclass
class Pair:
    cert: str
    key: str


class Authority:
    def __init__(self, directory, name="ca"):
        self.directory = directory
        self.cert = os.path.join(directory, f"{name}.crt")
        self.key = os.path.join(directory, f"{name}.key")
        self._openssl("req", "-x509", *EC_KEY, "-nodes", "-keyout", self.key, "-out", self.cert, "-days", "90",
                      "-subj", f"/CN=Test authority {name}", "-addext", "keyUsage=critical,keyCertSign")

    def server(self, name="server", names="DNS:localhost,IP:127.0.0.1", days=90):
        return self._leaf(name, f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n", days)

    def expired_server(self):
        return self.server("expired", days=-1)

    def client(self, name="client", days=90):
        return self._leaf(name, "extendedKeyUsage=clientAuth\n", days)

    def client_with_encrypted_key(self):
        """The pair and a file with the key's password, which ends in a newline as an editor leaves it."""
        pair = self.client("encrypted")
        key = os.path.join(self.directory, "encrypted-pkcs8.key")
        self._openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", pair.key, "-out", key,
                      "-passout", f"pass:{KEY_PASSWORD}")
        password_file = os.path.join(self.directory, "key-password")
        with open(password_file, "w", encoding="utf-8") as file:
            file.write(KEY_PASSWORD + "\n")
        return Pair(pair.cert, key), password_file

    def _leaf(self, name, extensions, days):
        base = os.path.join(self.directory, name)
        self._openssl("req", "-new", *EC_KEY, "-nodes", "-keyout", base + ".key", "-out", base + ".csr",
                      "-subj", f"/CN={name}")
        with open(base + ".ext", "w", encoding="utf-8") as file:
            file.write(extensions)
        # The program of OpenSSL 3.4 takes no days below zero, that of 3.0 no dates.
        validity = ("-days", str(days)) if days > 0 else ("-not_before", "20200101000000Z", "-not_after", "20200201000000Z")
        command = ("x509", "-req", "-in", base + ".csr", "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                   "-extfile", base + ".ext", "-out", base + ".crt")
        try:
            self._openssl(*command, *validity)
        except subprocess.CalledProcessError:
            self._openssl(*command, "-days", str(days))
        return Pair(base + ".crt", base + ".key")

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
