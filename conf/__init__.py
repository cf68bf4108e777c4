"""The configuration files, installed as cnnlab.conf."""
