#!/usr/bin/python3
"""Publishes the numbers from 1 to COUNT on TOPIC: article_publisher.py HOST PORT CA_FILE TOPIC COUNT"""
import json
import sys

from paho_client import make_client

host, port, ca_file, topic, count = sys.argv[1:]

client = make_client(client_id="article-publisher")
client.tls_set(ca_certs=ca_file)
client.connect(host, int(port), keepalive=60)
client.loop_start()

for number in range(1, int(count) + 1):
    payload = json.dumps({"sensor": "temperature", "value": 20 + number})
    client.publish(topic, payload, qos=1).wait_for_publish()
    print("published", payload)

client.loop_stop()
client.disconnect()
