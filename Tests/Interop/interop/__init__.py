"""Checks that judge Conclave from outside, beside Apache ZooKeeper, kazoo and Curator."""
