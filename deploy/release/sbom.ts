import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from './run.js';

const COMPONENT = z.looseObject({ name: z.string(), version: z.string(), group: z.string().optional() });
const SBOM = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  metadata: z.looseObject({ component: z.looseObject({ name: z.string(), version: z.string() }) }),
  components: z.array(COMPONENT),
});
export type Sbom = z.infer<typeof SBOM>;

const nameOf = ({ group, name, version }: z.infer<typeof COMPONENT>) =>
  `${group === undefined || name.startsWith('@') ? '' : `${group}/`}${name} ${version}`;

/** What is installed with scopemesh, and what is inside its files: the page of the console has packages of its own. */
export function makeSbom(root: string): Sbom {
  const format = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'];
  const list = (...options: readonly string[]) =>
    SBOM.parse(JSON.parse(run('npm', ['sbom', ...format, ...options], { cwd: root })));
  const sbom = list('--omit', 'dev');
  const installed = new Set(sbom.components.map(nameOf));
  const inside = packagesInside(root).filter((name) => !installed.has(name));
  const others = list().components.filter((component) => inside.includes(nameOf(component)));
  // npm names the folder.
  const metadata = { ...sbom.metadata, component: { ...sbom.metadata.component, name: 'scopemesh' } };
  return { ...sbom, metadata, components: [...sbom.components, ...others] };
}

/** `NAME VERSION` of each package that the bundle has. */
function packagesInside(root: string): string[] {
  const text = readFileSync(join(root, 'dist/LICENCES.txt'), 'utf8');
  return text.split(`\n${'-'.repeat(60)}\n\n`).flatMap((each) => each.split('\n')[0] ?? []);
}

/** The packages that are inside and not in the list. */
export function missingIn(root: string, { components }: Sbom): string[] {
  const listed = new Set(components.map(nameOf));
  return packagesInside(root).filter((name) => !listed.has(name));
}
