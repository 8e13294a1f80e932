import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../config/load.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

const COMPOSE = z.object({
  services: z.record(z.string(), z.looseObject({ volumes: z.array(z.string()).default([]) })),
  volumes: z.record(z.string(), z.unknown()),
});

const MANUAL = [
  'README.md',
  ...readdirSync(join(root, 'docs/providers'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/providers/${name}`),
];

/** Loads a text as the configuration file; every reference to the environment has a value. */
function load(text: string) {
  const environment = {
    SCOPEMESH_CONSUL_TOKEN: 't',
    SCOPEMESH_HTTP_TOKEN: 't'.repeat(32),
    KEYCLOAK_CLIENT_SECRET: 's',
    KEYCLOAK_WEBHOOK_SECRET: 'w',
  };
  return loadConfig({ path: 'scopemesh.yaml', environment, readFile: async () => text });
}

describe('what is shipped beside the code', () => {
  it.each(MANUAL)('%s links to files that exist', (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#]+)\)/g)].map((found) => found[1] ?? '');
    const missing = links
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => !existsSync(join(root, dirname(page), link)));
    expect(missing).toEqual([]);
  });

  it('the package exports its schemas and descriptions', () => {
    const { resolve } = createRequire(join(root, 'package.json'));
    for (const path of [
      'config/scopemesh.schema.json',
      'docs/asyncapi.yaml',
      'docs/decision.schema.json',
      'docs/openapi.yaml',
      'docs/schemas/intention.schema.json',
    ])
      expect(resolve(`scopemesh/${path}`)).toBe(join(root, path));
  });

  it('README.md shows a configuration that is valid', async () => {
    const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
    const { config } = await load(example);
    expect(config.mode).toBe('observe');
    expect(config.rules).toHaveLength(3);
  });

  it('the compose file mounts files that exist, on volumes that it declares, and its configuration is valid', async () => {
    const { services, volumes } = COMPOSE.parse(parse(read('docker-compose.yml')));
    const sources = Object.values(services).flatMap((service) =>
      service.volumes.map((volume) => volume.split(':')[0] ?? ''),
    );
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources)
      expect(source.startsWith('./') ? existsSync(join(root, source)) : source in volumes, source).toBe(true);
    const { config } = await load(read('deploy/compose/scopemesh.yaml'));
    expect(config.http.listen.host).toBe('0.0.0.0');
    expect(config.queue.kind).toBe('bullmq');
  });

  it('the job of Nomad runs a digest, on a read-only root, and its configuration is valid', async () => {
    const job = read('deploy/scopemesh.nomad.hcl');
    expect(job).toMatch(/image += var\.image\n/);
    expect(job).toContain('readonly_rootfs = true');
    const [, text = ''] = /<<-YAML\n([\s\S]*?)\n +YAML/.exec(job) ?? [];
    const { config } = await load(text.replaceAll('$${', '${').replaceAll(/\{\{.*?\}\}/g, '127.0.0.1'));
    expect([config.http.listen.host, config.state.directory]).toEqual(['0.0.0.0', '/var/lib/scopemesh']);
  });

  it('gives the token of Consul the same least rules everywhere', () => {
    const rulesOf = (text: string) =>
      [...text.matchAll(/(\w+_prefix) "([^"]*)" *\{([^}]*)\}/g)].map(([, kind, prefix = '', body = '']) => [
        kind,
        prefix.replace(/^scopemesh\/.*/, 'scopemesh/<owner>/'),
        body.replaceAll(/\s+/g, ' ').trim(),
      ]);
    const rules = rulesOf(read('deploy/consul-policy.hcl'));
    expect(rules).toHaveLength(5);
    expect(rulesOf(read('deploy/compose/consul-setup.sh'))).toEqual(rules);
    expect(rulesOf(read('src/demo/seed-consul.ts'))).toEqual(rules);
  });

  it('the image holds all that its Dockerfile copies, and runs as nobody in particular', () => {
    const dockerfile = read('Dockerfile');
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    const admitted = read('.dockerignore').split('\n');
    expect(copied.length).toBeGreaterThan(5);
    for (const name of copied) {
      expect(existsSync(join(root, name)), name).toBe(true);
      expect(admitted).toContain(`!${name}`);
    }
    expect(dockerfile).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(dockerfile).toContain('HEALTHCHECK');
  });
});
