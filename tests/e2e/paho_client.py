"""A client of Python's Paho, whose constructor is another one in version 2 (Debian 13)."""
import warnings

import paho.mqtt.client as paho


def make_client(*arguments, kind=paho.Client, **keys):
    if hasattr(paho, "CallbackAPIVersion"):
        warnings.simplefilter("ignore", DeprecationWarning)  # of the interface that both have
        arguments = (paho.CallbackAPIVersion.VERSION1, *arguments)
    return kind(*arguments, **keys)
