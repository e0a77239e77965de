import type { DeviceResponse, TokenResponse } from '../../contract/auth.ts';
import type { Browser } from './browser.ts';

export interface JsonAnswer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** The command line's side of the device grant, as bare requests. */
export class Device {
  readonly #base: string;
  constructor(base: string) {
    this.#base = base;
  }

  async post<T>(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
    return this.send<T>(path, { body: new URLSearchParams(form), headers });
  }

  async send<T>(
    path: string,
    init: { body?: string | URLSearchParams | undefined; headers?: Record<string, string> },
  ): Promise<JsonAnswer<T>> {
    const response = await fetch(`${this.#base}${path}`, { method: 'POST', ...init });
    return { status: response.status, headers: response.headers, body: (await response.json()) as T };
  }

  async begin(hostname = 'laptop'): Promise<DeviceResponse> {
    const form = { client_id: 'spoq-cli', hostname };
    return (await this.post<DeviceResponse>('/auth/device', form, { 'user-agent': 'spoq/0.1.0' })).body;
  }

  async poll(deviceCode: string): Promise<JsonAnswer<TokenResponse & { error?: string }>> {
    const grantType = 'urn:ietf:params:oauth:grant-type:device_code';
    return this.post('/auth/device/token', { grant_type: grantType, device_code: deviceCode, client_id: 'spoq-cli' });
  }

  /** The whole way: the person in `browser` approves, the device fetches its tokens. */
  async signIn(browser: Browser, hostname = 'laptop'): Promise<TokenResponse> {
    const begun = await this.begin(hostname);
    await browser.post('/auth/authorize', { code: begun.user_code, decision: 'approve' });
    return (await this.poll(begun.device_code)).body;
  }

  async refresh(token: string): Promise<JsonAnswer<TokenResponse & { error?: string }>> {
    return this.post('/auth/refresh', { grant_type: 'refresh_token', refresh_token: token, client_id: 'spoq-cli' });
  }
}
