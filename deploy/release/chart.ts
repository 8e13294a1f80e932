import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Artefact } from './artefact.js';
import { type Check, check, expectThat, programOnPath, run } from './run.js';

const CHART = z.object({ version: z.string(), appVersion: z.string() });

/** Packs deploy/chart, and lets Helm look at it where Helm is there. */
export async function makeChart(root: string, version: string, out: string): Promise<Artefact> {
  const file = join(out, `scopemesh-chart-${version}.tgz`);
  const names = ['--sort=name', '--owner=0', '--group=0', '--transform', 's,^chart,scopemesh,'];
  run('tar', ['-czf', file, ...names, '-C', join(root, 'deploy'), 'chart']);
  const versions = await check('version', () => {
    const chart = CHART.parse(parse(run('tar', ['-xzOf', file, 'scopemesh/Chart.yaml'])));
    expectThat(chart.version === version && chart.appVersion === version, JSON.stringify(chart));
    return version;
  });
  return {
    what: 'chart',
    file,
    checks: [versions, ...(await checkWithHelm(root, file))],
    publish: `helm push ${file} oci://REGISTRY/charts`,
  };
}

async function checkWithHelm(root: string, file: string): Promise<Check[]> {
  const helm = programOnPath('helm');
  if (helm === undefined) return [];
  const folder = mkdtempSync(join(tmpdir(), 'scopemesh-chart-'));
  try {
    const page = readFileSync(join(root, 'docs/how-to/run-in-kubernetes.md'), 'utf8');
    const values = join(folder, 'values.yaml');
    writeFileSync(values, /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '');
    return [
      await check('helm lint', () => void run(helm, ['lint', '--strict', file, '--values', values])),
      await check('helm template', () => void run(helm, ['template', 'scopemesh', file, '--values', values])),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
