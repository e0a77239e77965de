import type { DeviceResponse, TokenResponse } from '../../contract/auth.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { Credentials } from '../../contract/files.ts';
import { signInWithBrowser } from '../auth/browser-grant.ts';
import { findControlPlaneUrl } from '../auth/control-plane-url.ts';
import { createControlPlane } from '../auth/control-plane.ts';
import type { ControlPlane } from '../auth/control-plane.ts';
import { findCredentialsPath, loadCredentials, saveCredentials, showPath, toCredentials } from '../auth/credentials.ts';
import { waitForApproval } from '../auth/device-grant.ts';
import { withFileLock } from '../auth/lock.ts';
import { loadMarker } from '../box/marker.ts';
import type { CliDeps } from '../deps.ts';
import { parseServiceUrl } from '../http/url.ts';
import { hasBrowser } from '../terminal/browser.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { startSpinner } from '../terminal/spinner.ts';
import type { Spinner } from '../terminal/spinner.ts';
import { canStyle, createStyle } from '../terminal/style.ts';

export interface InitOptions {
  json: boolean;
  noColor: boolean;
  force: boolean;
  /** True: through the browser of this computer. False: the device grant, and no browser is opened. Undefined: one is, where there is one. */
  browser: boolean | undefined;
}

/** `spoq init`: signs this computer in, by the device grant (RFC 8628) or through its browser (RFC 8252), and keeps the tokens. */
export async function runInit(deps: CliDeps, options: InitOptions): Promise<void> {
  if ((await loadMarker(deps.env)) !== undefined) return announceBox(deps, options);
  if (options.browser === true && !hasBrowser(deps)) throw noBrowser();
  const path = findCredentialsPath(deps);
  const present = await loadOld(path);
  if (present !== undefined && !options.force && !(await wantsAgain(deps, present, options))) return;
  const controlPlane = createControlPlane(deps.http, findControlPlaneUrl(deps.env), deps.signal);
  const tokens = await (options.browser === true ? askBrowser : askDevice)(deps, controlPlane, options);
  const credentials = toCredentials(tokens, deps.now());
  await withFileLock(path, () => saveCredentials(path, credentials));
  const host = new URL(tokens.vps_hostname).hostname;
  if (options.json) {
    const { user_id, username, vps_hostname, vps_status } = tokens;
    const line = {
      type: 'signed_in',
      user_id,
      username,
      vps_hostname,
      vps_status,
      expires_at: credentials.expires_at,
      path,
    };
    return deps.stdout.write(`${JSON.stringify(line)}\n`);
  }
  const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
  const ready =
    tokens.vps_status === 'ready'
      ? 'Ready to use! Try: spoq ask "what can you do for me?"'
      : `It is not ready yet (${sanitizeLine(tokens.vps_status)}). See how far it is: spoq status`;
  return deps.stdout.write(
    `${style.green('✓ Authenticated!')}\n\nAccount:  ${style.bold(sanitizeLine(tokens.username))}\nYour VPS: ${style.bold(sanitizeLine(host))}\n${ready}\n\nToken saved to ${showPath(path, deps.homeFolder)}\n`,
  );
}

async function askDevice(deps: CliDeps, controlPlane: ControlPlane, options: InitOptions): Promise<TokenResponse> {
  const grant = await controlPlane.startDevice(deps.hostname);
  await showCode(deps, grant, options);
  const spinner = startSpinner(deps, 'Waiting…');
  return waitForApproval(deps, controlPlane, grant).finally(() => spinner.stop());
}

async function askBrowser(deps: CliDeps, controlPlane: ControlPlane, options: InitOptions): Promise<TokenResponse> {
  let spinner: Spinner | undefined;
  const show = async (url: string): Promise<void> => {
    if (options.json) await deps.stdout.write(`${JSON.stringify({ type: 'browser', url })}\n`);
    else {
      const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
      await deps.stdout.write(
        `Approve in your browser. If none opens, visit this URL on this computer:\n${style.cyan(url)}\n\n`,
      );
    }
    deps.openUrl(url);
    spinner = startSpinner(deps, 'Waiting…');
  };
  return signInWithBrowser(deps, controlPlane, show).finally(() => spinner?.stop());
}

function noBrowser(): SpoqError {
  return new SpoqError('invalid_request', {
    detail: 'No browser can be opened here: there is no screen, or this is a session over SSH.',
    next: 'Run `spoq init`: it shows an address and a code for a browser on any device.',
  });
}

async function announceBox(deps: CliDeps, options: InitOptions): Promise<void> {
  if (options.json) return deps.stdout.write(`${JSON.stringify({ type: 'on_box' })}\n`);
  return deps.stdout.write('This is your box: no sign-in is needed here. Try: spoq ask "what runs on this machine?"\n');
}

/** A broken file is what a new sign-in repairs. */
async function loadOld(path: string): Promise<Credentials | undefined> {
  try {
    return await loadCredentials(path);
  } catch (error) {
    if (error instanceof SpoqError && error.code === 'not_authenticated') return undefined;
    throw error;
  }
}

async function wantsAgain(deps: CliDeps, present: Credentials, options: InitOptions): Promise<boolean> {
  const host = new URL(present.vps_hostname).hostname;
  if (options.json) {
    await deps.stdout.write(`${JSON.stringify({ type: 'already_signed_in', vps_hostname: present.vps_hostname })}\n`);
    return false;
  }
  const canAsk = deps.stdin.isTTY && deps.stderr.isTTY;
  if (canAsk && (await deps.confirm(`This computer is signed in to ${host}. Sign in again?`))) return true;
  await deps.stdout.write(
    `This computer is signed in to ${host}. Nothing was changed. (spoq init --force signs in again)\n`,
  );
  return false;
}

async function showCode(deps: CliDeps, grant: DeviceResponse, options: InitOptions): Promise<void> {
  const url = parseServiceUrl(grant.verification_uri_complete, 'The address to visit').href;
  const code = sanitizeLine(grant.user_code);
  if (options.json) {
    const { user_code, verification_uri, verification_uri_complete, expires_in } = grant;
    await deps.stdout.write(
      `${JSON.stringify({ type: 'code', user_code, verification_uri, verification_uri_complete, expires_in })}\n`,
    );
    return;
  }
  const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
  await deps.stdout.write(
    `Visit this URL to authenticate:\n${style.cyan(url)}\n\nApprove only if the page shows this code: ${style.bold(code)}\n\n`,
  );
  if (options.browser !== false && hasBrowser(deps)) {
    deps.openUrl(url);
    await deps.stderr.write('Opening your browser…\n');
  }
  if (!deps.stderr.isTTY) await deps.stderr.write('Waiting...\n');
}
