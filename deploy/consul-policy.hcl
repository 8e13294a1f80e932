# The least that the token of scopemesh needs in Consul, for the owner `payments`:
#   consul acl policy create -name scopemesh -rules @deploy/consul-policy.hcl
#   consul acl token create -description scopemesh -policy-name scopemesh

# Services and their claims; intentions.
service_prefix "" {
  policy = "read"
  intentions = "write"
}

# The catalog is read completely, or not believed: without this, Consul leaves nodes out of its answers.
node_prefix "" {
  policy = "read"
}

# The mesh's default policy and Consul's version, for doctor and a metric.
agent_prefix "" {
  policy = "read"
}

# The lock of the leader; the clients in quarantine, which must outlive the store; with `services.claims: first` also which
# service came first.
key_prefix "scopemesh/payments/" {
  policy = "write"
}

# The session of the leader: with several replicas only one of them writes.
session_prefix "" {
  policy = "write"
}

# The entries by which sidecars verify users' tokens; with `user: required` or `onBehalfOf: human` only.
# mesh = "write"
