"""The pack's nodes: one short file per group, each a schema that delegates to `host` and `stunet_core`."""
