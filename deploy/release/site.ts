import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Artefact } from './artefact.js';
import { run } from './run.js';

/** Builds the manual as a site. A dead link fails the build. */
export function makeSite(root: string, file: string): Artefact {
  const folder = join(root, 'deploy/site');
  const built = mkdtempSync(join(tmpdir(), 'scopemesh-site-'));
  try {
    run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder });
    run('npm', ['run', 'build'], { cwd: folder, env: { ...process.env, SITE_OUT: built } });
    run('tar', ['-czf', file, '--owner=0', '--group=0', '-C', built, '.']);
    return { what: 'site', file, checks: [] };
  } finally {
    rmSync(built, { recursive: true });
  }
}
