import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installed, isInstalled } from '../stack/installed.js';
import { type KubernetesHandle, startKubernetes } from '../stack/kubernetes.js';
import { until } from '../stack/process.js';
import { startCrdCommandLine } from '../support/crd-command-line.js';
import { helm, ONE, runProgram, SEVERAL, type Values } from './helm.js';

/** A directory with the resource definitions of consul-k8s, which are not part of this repository. */
const CRDS = process.env.CONSUL_K8S_CRDS;
const STRICT = ['--dry-run=server', '--validate=strict'];
const KUSTOMIZE = fileURLToPath(new URL('../../deploy/kustomize', import.meta.url));

describe.skipIf(!isInstalled('kubernetes'))(
  'on a real API server (skipped without `bash test/stack/install.sh kubernetes`, which `npm run faults` runs)',
  () => {
    let kubernetes: KubernetesHandle;
    const kubectl: KubernetesHandle['kubectl'] = (...given) => kubernetes.kubectl(...given);

    /** A namespace in which only restricted pods run, and a warning about every other one. */
    async function createNamespace(name: string): Promise<string> {
      const labels = {
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/warn': 'restricted',
      };
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
      await kubectl(['create', '-f', '-'], JSON.stringify(namespace));
      return name;
    }

    /** Runs Helm on the release `scopemesh` of a namespace; throws what it says if it fails. */
    async function release(namespace: string, args: readonly string[], values: Values) {
      const at = ['--namespace', namespace, '--wait=hookOnly'];
      const said = await helm([...args, 'scopemesh', ...at], values, { KUBECONFIG: kubernetes.kubeconfig });
      if (said.status !== 0) throw new Error(said.err);
    }
    const get = async (namespace: string, kind: string, name = 'scopemesh') =>
      JSON.parse((await kubectl(['--namespace', namespace, 'get', kind, name, '--output=json'])).out);

    beforeAll(async () => {
      kubernetes = await startKubernetes();
      for (const file of kubernetes.monitoringCrds) await kubectl(['create', '-f', file]);
      if (CRDS !== undefined) await kubectl(['create', '-f', CRDS]);
      await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
    });
    afterAll(async () => kubernetes?.stop());

    it.each<[string, Values]>([
      ['one', ONE],
      ['several', SEVERAL],
    ])('takes every object of the chart without a warning: %s', async (shape, values) => {
      const namespace = await createNamespace(`strict-${shape}`);
      const { out } = await helm(['template', 'scopemesh', '--namespace', namespace], values);
      const { err } = await kubectl(['--namespace', namespace, 'apply', ...STRICT, '-f', '-'], out);
      expect(err).toBe('');
    });

    it('takes every object of the base for kustomize without a warning', async () => {
      const namespace = await createNamespace('strict-base');
      const { out } = await kubectl(['kustomize', KUSTOMIZE]);
      const { err } = await kubectl(['--namespace', namespace, 'apply', ...STRICT, '-f', '-'], out);
      expect(err).toBe('');
    });

    it('refuses an object with a field that nobody knows, so the two above say something', async () => {
      const { out } = await helm(['template', 'scopemesh'], ONE);
      const wrong = out.replace('enableServiceLinks:', 'enableServiceLinkz:');
      await expect(kubectl(['apply', ...STRICT, '-f', '-'], wrong)).rejects.toThrow('unknown field');
    });

    it('makes the pod of a release, which the standard `restricted` admits; upgrade and rollback change what they say', async () => {
      const namespace = await createNamespace('release');
      await release(namespace, ['install'], ONE);
      const pod = await until('there is a pod', () => get(namespace, 'pod', 'scopemesh-0'));
      expect(pod.spec).toMatchObject({
        automountServiceAccountToken: false,
        serviceAccountName: 'scopemesh',
      });
      expect(pod.spec.volumes.map(({ name }: { name: string }) => name).toSorted()).toEqual([
        'configuration',
        'secret-0',
        'state',
        'tmp',
      ]);
      const before = await get(namespace, 'statefulset');
      const config = async () => (await get(namespace, 'configmap')).data['scopemesh.yaml'];
      expect(await config()).toContain('mode: observe');

      const { persistence: _, ...upgraded } = SEVERAL;
      await release(namespace, ['upgrade'], upgraded);
      expect((await get(namespace, 'statefulset')).spec.replicas).toBe(3);
      expect(await config()).toContain('mode: enforce');
      expect((await get(namespace, 'poddisruptionbudget')).spec.maxUnavailable).toBe(1);
      expect((await get(namespace, 'prometheusrule')).spec.groups[0].rules.length).toBeGreaterThan(10);
      await until('there is a third pod', () => get(namespace, 'pod', 'scopemesh-2'));

      const rollback = ['rollback', 'scopemesh', '1', '--namespace', namespace, '--wait=hookOnly'];
      const environment = { KUBECONFIG: kubernetes.kubeconfig };
      expect(await runProgram(await installed('helm'), rollback, environment)).toMatchObject({ status: 0 });
      const after = await get(namespace, 'statefulset');
      expect(after.spec).toEqual(before.spec);
      expect(await config()).toContain('mode: observe');
      await expect(get(namespace, 'poddisruptionbudget')).rejects.toThrow('not found');
    });

    it.skipIf(CRDS === undefined)(
      'takes the manifests that `target: crd` writes, of both kinds (skipped without CONSUL_K8S_CRDS=DIR)',
      async () => {
        const { cli, directory } = await startCrdCommandLine();
        await createNamespace('shop');
        await cli.run(['apply', '--yes']);
        const files = readdirSync(directory);
        expect(files).toHaveLength(3);
        for (const name of files) {
          const text = readFileSync(join(directory, name), 'utf8');
          expect((await kubectl(['apply', ...STRICT, '-f', '-'], text)).err).toBe('');
        }
        const { out } = await kubectl(['apply', '--validate=strict', '-f', directory]);
        expect(out.match(/created/g)).toHaveLength(3);
        const stored = await get('shop', 'serviceintentions', 'orders');
        expect(stored.spec).toMatchObject({ destination: { name: 'orders' }, sources: [{ name: 'web' }] });
        const broken = JSON.stringify(stored).replace('"permissions"', '"permissionz"');
        await expect(kubectl(['replace', ...STRICT, '-f', '-'], broken)).rejects.toThrow('unknown field');
      },
    );
  },
);
