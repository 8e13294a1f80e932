import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { kustomizeFiles } from './helm.js';

const folder = fileURLToPath(new URL('../../deploy/kustomize/', import.meta.url));
for (const [name, text] of Object.entries(await kustomizeFiles())) writeFileSync(folder + name, text);
