# The daemon and all of the command line, without a shell and a package manager:
# docker build --build-arg SCOPEMESH_COMMIT="$(git rev-parse --short=12 HEAD)" -t scopemesh . && docker run --rm scopemesh --help
ARG NODE_IMAGE=docker.io/library/node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json README.md LICENSE CHANGELOG.md SECURITY.md ./
COPY src ./src
COPY workers ./workers
COPY config ./config
COPY deploy ./deploy
COPY docs ./docs
# The image is built without the repository, so somebody has to name the commit.
ARG SCOPEMESH_COMMIT=""
RUN npm run build
# What is published to npm, and the packages that it needs, as it pins them.
RUN npx tsx deploy/release/pack.ts /package && mkdir -p /image/app && tar -xzf /package/*.tgz --strip-components=1 -C /image/app \
  && npm ci --prefix /image/app --omit=dev --ignore-scripts --no-audit --no-fund
# Node, and the libraries that Node and the packages with native code load.
RUN cp --parents /usr/local/bin/node /etc/passwd /etc/group /image \
  && ldd /usr/local/bin/node /image/app/node_modules/@libsql/*/*.node \
  | grep --only-matching '/lib[^ ]*' | sort --unique | xargs cp --parents --dereference --target-directory=/image
RUN install --directory --mode=1777 /image/tmp
# Where `state.directory` belongs; a named volume takes over the owner.
RUN install --directory --owner=1000 --group=1000 --mode=0700 /image/var/lib/scopemesh

FROM scratch
COPY --from=build /image /
ENV NODE_ENV=production PATH=/usr/local/bin
WORKDIR /app
ARG SCOPEMESH_COMMIT="" SCOPEMESH_VERSION=""
LABEL org.opencontainers.image.title="scopemesh" \
  org.opencontainers.image.description="Keeps Consul's mesh authorisation equal to what OAuth clients and scopes say" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${SCOPEMESH_VERSION}" \
  org.opencontainers.image.revision="${SCOPEMESH_COMMIT}"
# As numbers: Kubernetes then sees that it is not root.
USER 1000:1000
VOLUME /var/lib/scopemesh
# `http.listen` is 127.0.0.1:8080 by default; in a container it has to be 0.0.0.0:8080. With `http.admin`, probe that.
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# A larger young generation: first comparisons need about 15% less processor time, and 70 MB more memory.
# One helper thread of V8 and quick compiling: a tenth more writes a second on two cores.
ENTRYPOINT ["node", "--max-semi-space-size=64", "--v8-pool-size=1", "--always-sparkplug", "/app/dist/workers/main.js"]
CMD ["run", "-c", "/etc/scopemesh/scopemesh.yaml"]
