import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failureOf } from '../../../support/failure-of.js';
import { type DirectoryRig, sent, startDirectoryRig } from '../directory-rig.js';
import { json } from '../fake-keycloak.js';

const signal = new AbortController().signal;

describe('the Keycloak directory', () => {
  let rig: DirectoryRig;
  beforeEach(async () => {
    rig = await startDirectoryRig();
  });
  afterEach(() => rig.stop());

  describe('says what the token may read, by the names of the roles', () => {
    const granted = async (which = rig.directory) =>
      Object.fromEntries(
        ((await which.checkAccess?.(signal)) ?? []).map(({ permission, isGranted, forGroupsOnly }) => [
          permission.replace('realm-management/', ''),
          forGroupsOnly === true ? [isGranted] : isGranted,
        ]),
      );
    const without = (...kinds: readonly string[]) => {
      rig.keycloak.fault = (url, response) => {
        const [, , , , kind = ''] = url.pathname.split('/');
        if (!url.pathname.startsWith('/admin/')) return false;
        const isAccount = kind === 'users' || url.pathname.endsWith('/service-account-user');
        if (isAccount && !kinds.includes(kind)) json(response, 200, { id: 'of-scopemesh' });
        else if (kinds.includes(kind)) json(response, 403, { error: 'HTTP 403 Forbidden' });
        else return false;
        return true;
      };
    };

    it('if it may read everything', async () => {
      const { open } = rig;
      without();
      const everything = {
        'view-clients': true,
        'view-realm': true,
        'view-events': true,
        'admin events': true,
      };
      expect(await granted()).toEqual({ ...everything, 'view-users': [true] });
      const withRoles = open({ serviceAccountRoles: true });
      expect(await granted(withRoles)).toEqual({ ...everything, 'view-users': true });
      await withRoles.close();
    });

    it('if it is refused, or sees less', async () => {
      const { keycloak } = rig;
      without('admin-events', 'users');
      keycloak.realmFields = { realm: 'main' };
      keycloak.remove('realm-management');
      expect(await granted()).toEqual({
        'view-clients': false,
        'view-realm': false,
        'view-events': false,
        'admin events': true,
        'view-users': [false],
      });
    });

    it('but not if Keycloak cannot be reached', async () => {
      const { onPath } = rig;
      onPath('/admin/', (_url, response) => {
        json(response, 503, {});
        return true;
      });
      expect(await failureOf(granted())).toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    });
  });

  describe('and its access token', () => {
    it('is requested once by reads that start together, and kept', async () => {
      const { keycloak, directory } = rig;
      await Promise.all([
        directory.readAll(signal),
        directory.readAll(signal),
        directory.read('clientId', 'svc-1', signal),
      ]);
      await directory.readAll(signal);
      expect(keycloak.tokens).toBe(1);
    });

    it('is renewed before it expires', async () => {
      const { keycloak, directory, advance } = rig;
      await directory.readAll(signal);
      advance(269_000);
      await directory.readAll(signal);
      expect(keycloak.tokens).toBe(1);
      advance(2_000);
      await directory.readAll(signal);
      expect(keycloak.tokens).toBe(2);
    });

    it('is replaced once when the Admin API refuses it, and the read continues', async () => {
      const { keycloak, directory, ids } = rig;
      await directory.readAll(signal);
      keycloak.tokens++; // Someone ended all sessions.
      expect(await ids()).toHaveLength(13);
      expect(keycloak.tokens).toBe(3);
    });

    it('is not requested again and again if the Admin API refuses every one', async () => {
      const { keycloak, directory, onPath } = rig;
      onPath('/admin/', (_, response) => sent(() => json(response, 401, {})));
      expect(await failureOf(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_DENIED' });
      expect(keycloak.tokens).toBe(2);
    });

    it('is requested again after a failure', async () => {
      const { keycloak, directory, onPath, ids } = rig;
      onPath('/token', (_, response) => sent(() => response.writeHead(503).end()));
      expect(await failureOf(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
      keycloak.fault = () => false;
      expect(await ids()).toHaveLength(13);
    });

    it('survives if the read that requested it is aborted', async () => {
      const { keycloak, directory, onPath } = rig;
      const stopping = new AbortController();
      onPath('/token', () => {
        stopping.abort(new Error('stopping'));
        return false;
      });
      const aborted = directory.readAll(stopping.signal);
      const other = directory.readAll(signal);
      await expect(aborted).rejects.toThrow('stopping');
      expect((await other).clients).toHaveLength(13);
      expect(keycloak.tokens).toBe(1);
    });

    it('is accepted only from the configured issuer', async () => {
      const { keycloak, directory, onPath } = rig;
      onPath('openid-configuration', (_, response) =>
        sent(() =>
          json(response, 200, {
            issuer: 'https://other.example/realms/main',
            token_endpoint: keycloak.address,
          }),
        ),
      );
      const error = await failureOf(directory.readAll(signal));
      expect(error).toMatchObject({ code: 'ERR_CONFIG' });
      expect(keycloak.tokens).toBe(0);
    });
  });
});
