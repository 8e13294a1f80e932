module scopemesh.test/consul161

go 1.26

tool github.com/hashicorp/consul

require (
	github.com/hashicorp/consul v1.16.1
	github.com/hashicorp/consul/envoyextensions v0.2.1
)

replace (
	github.com/hashicorp/consul => ./src
	github.com/hashicorp/consul/envoyextensions => ./ext
	github.com/hashicorp/hcp-sdk-go => github.com/hashicorp/hcp-sdk-go v0.48.0
)

exclude (
	github.com/hashicorp/go-msgpack v1.1.5
	github.com/hashicorp/go-msgpack v1.1.6
)
