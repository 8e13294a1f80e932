import { onTestFinished } from 'vitest';
import { type CommandLine, createCommandLine } from './command-line.js';
import { type Mesh, startMesh } from './mesh.js';

/** A mesh and a command line in front of it, for one test: call it there, or in `beforeEach`. Both end with the test. */
export async function openCommandLine(
  version?: string,
): Promise<{ readonly mesh: Mesh; readonly cli: CommandLine }> {
  const mesh = await startMesh(version);
  const cli = createCommandLine(mesh);
  onTestFinished(async () => {
    cli.close();
    await mesh.consul.close();
  });
  return { mesh, cli };
}
