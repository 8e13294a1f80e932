# The daemon and all of the command line: docker build -t scopemesh . && docker run --rm scopemesh --help

FROM node:24-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY workers ./workers
COPY config ./config
COPY deploy/bundle.mjs deploy/console.mjs deploy/undici.mjs deploy/stamp-build.mjs ./deploy/
# The image is built without the repository: --build-arg SCOPEMESH_COMMIT="$(git rev-parse --short=12 HEAD)"
ARG SCOPEMESH_COMMIT=""
RUN npm run build

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /src/dist ./dist
# Where `state.directory` belongs; a named volume takes over the owner.
RUN install --directory --owner=node --group=node --mode=0700 /var/lib/scopemesh
# The user `node` of the image, as numbers: Kubernetes then sees that it is not root.
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
