# A job of Nomad with one replica and its state on a host volume. Load the image into your registry, and put its digest here.
# Give the job its secrets by Nomad's variables, readable for this job alone:
#   nomad var put nomad/jobs/scopemesh consul_token=… keycloak_secret=…
variable "image" {
  type        = string
  description = "The image by its digest: registry.example.com/scopemesh@sha256:…"
}

job "scopemesh" {
  type = "service"

  group "scopemesh" {
    # Replicas need Redis and Kafka: docs/how-to/run-replicas.md.
    count = 1

    # Two processes never share a state directory, so the old one ends first.
    update {
      max_parallel     = 1
      health_check     = "checks"
      min_healthy_time = "10s"
      healthy_deadline = "2m"
    }

    network {
      mode = "bridge"
      port "http" { to = 8080 }
    }

    # In the client's configuration: host_volume "scopemesh" { path = "/srv/scopemesh" }, owned by 1000:1000, mode 0700.
    volume "state" {
      type   = "host"
      source = "scopemesh"
    }

    service {
      name     = "scopemesh"
      port     = "http"
      provider = "consul"

      check {
        type     = "http"
        path     = "/readyz"
        interval = "10s"
        timeout  = "3s"
      }
    }

    task "scopemesh" {
      driver = "docker"
      user   = "1000:1000"
      # It finishes what runs.
      kill_timeout = "20s"

      config {
        image           = var.image
        args            = ["run", "-c", "/local/scopemesh.yaml"]
        ports           = ["http"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]

        mount {
          type   = "tmpfs"
          target = "/tmp"
        }
      }

      volume_mount {
        volume      = "state"
        destination = "/var/lib/scopemesh"
      }

      template {
        destination   = "local/scopemesh.yaml"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-YAML
          owner: payments
          mode: observe
          consul: { address: "http://{{ env "attr.unique.network.ip-address" }}:8500", token: "$${SCOPEMESH_CONSUL_TOKEN}" }
          providers:
            - name: main
              kind: keycloak
              issuer: https://sso.example.com/realms/main
              clientId: scopemesh
              clientSecret: $${KEYCLOAK_CLIENT_SECRET}
          scopes:
            "orders:read": { to: orders, methods: [GET, HEAD], path: /v1/orders }
          http: { listen: "0.0.0.0:8080" }
          state: { directory: /var/lib/scopemesh }
        YAML
      }

      template {
        destination = "secrets/environment"
        env         = true
        data        = <<-ENV
          {{ with nomadVar "nomad/jobs/scopemesh" }}
          SCOPEMESH_CONSUL_TOKEN={{ .consul_token }}
          KEYCLOAK_CLIENT_SECRET={{ .keycloak_secret }}
          {{ end }}
        ENV
      }

      resources {
        cpu    = 200
        memory = 512
      }
    }
  }
}
