#!/usr/bin/python3
"""Prints what arrives on TOPIC until it is stopped: article_subscriber.py HOST PORT CA_FILE TOPIC"""
import sys

from paho_client import make_client

host, port, ca_file, topic = sys.argv[1:]


def on_connect(client, userdata, flags, rc):
    print("connected with result", rc, flush=True)
    client.subscribe(topic, qos=1)


def on_message(client, userdata, message):
    print(message.topic, message.payload.decode(), flush=True)


client = make_client(client_id="article-subscriber")
client.tls_set(ca_certs=ca_file)
client.on_connect = on_connect
client.on_message = on_message
client.connect(host, int(port), keepalive=60)
client.loop_forever()
