import path from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import type { Fault } from '../../contract/errors.ts';

/** As a folder below the home, and in no other way. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Where `conductor work` works, and with what. */
export interface Place {
  /** Absolute. The home of the run's programs. */
  home: string;
  /** Absolute. The copy of the workspace. */
  tree: string;
  /** Absolute. The bare repository that holds the snapshot; read only. */
  repository: string;
  /** Absolute. Its own notes: what the tree is compared with. */
  notes: string;
  /** PATH of the programs that it runs. */
  path: string;
}

/** The environment of everything that runs in the place. `proxyPort`: where the way out is. */
export function describeEnvironment(place: Place, proxyPort: number): Record<string, string> {
  const proxy = `http://127.0.0.1:${proxyPort}`;
  const local = 'localhost,127.0.0.1,::1';
  return {
    HOME: place.home,
    USER: 'agent',
    LOGNAME: 'agent',
    SHELL: '/bin/bash',
    PATH: place.path,
    LANG: 'C.UTF-8',
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    NO_PROXY: local,
    http_proxy: proxy,
    https_proxy: proxy,
    no_proxy: local,
    // Node's fetch heeds the proxy only when told to.
    NODE_USE_ENV_PROXY: '1',
    // There is nobody to ask.
    GIT_TERMINAL_PROMPT: '0',
    // Nor to read that there is a newer npm or pip: `npm test` would ask for a host that the task has no need of.
    npm_config_update_notifier: 'false',
    NO_UPDATE_NOTIFIER: '1',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
  };
}

/** Throws `invalid_request` with every fault of what was given. */
export function choosePlace(
  { home, workspace, repository }: Record<'home' | 'workspace' | 'repository', string | undefined>,
  searchPath: string,
): Place {
  const faults: Fault[] = [];
  for (const [field, folder] of Object.entries({ '--home': home, '--repository': repository }))
    if (folder === undefined || !path.isAbsolute(folder)) faults.push({ field, message: 'an absolute path is needed' });
  if (workspace === undefined || !NAME.test(workspace))
    faults.push({ field: '--workspace', message: 'a name is needed' });
  if (home === undefined || workspace === undefined || repository === undefined || faults.length > 0) {
    throw new SpoqError('invalid_request', {
      detail: 'The place of a run is not described.',
      next: 'See conductor --help.',
      faults,
    });
  }
  return {
    home,
    tree: path.join(home, workspace),
    repository,
    notes: path.join(home, '.spoq'),
    path: searchPath,
  };
}
