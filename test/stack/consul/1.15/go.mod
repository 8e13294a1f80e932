module scopemesh.test/consul115

go 1.26

tool github.com/hashicorp/consul

require (
	github.com/hashicorp/consul v1.15.4
	// Consul 1.15.4 does not compile with the 1.21.0 that it asks for.
	github.com/hashicorp/consul/api v1.21.1
)

exclude (
	github.com/hashicorp/go-msgpack v1.1.5
	github.com/hashicorp/go-msgpack v1.1.6
)
