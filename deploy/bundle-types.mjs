// Builds the types of the package's exports beside them: three files instead of the three hundred that the compiler writes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const declarations = mkdtempSync(join(tmpdir(), 'scopemesh-types-'));
try {
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', declarations],
    { cwd: root, stdio: 'inherit' },
  );
  if (status !== 0) process.exit(1);
  const bundle = await rolldown({
    cwd: declarations,
    checks: { bundlerTimings: false },
    input: { index: 'src/index.d.ts', 'decisions/index': 'src/decisions/index.d.ts' },
    plugins: [dts({ dtsInput: true, tsconfig: false })],
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
  });
  await bundle.write({ dir: join(root, 'dist/src'), chunkFileNames: 'shared.js' });
  await bundle.close();
} finally {
  rmSync(declarations, { recursive: true });
}
