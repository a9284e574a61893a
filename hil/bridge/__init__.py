"""The bench as a modem: MQTT on one side, the serial line on the other."""
