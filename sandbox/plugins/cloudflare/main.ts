import { servePlugin } from '../serve-plugin.ts';
import { createCloudflarePlugin } from './dns-record.ts';

const { CLOUDFLARE_BASE_URL: baseUrl = 'https://api.cloudflare.com/client/v4', CLOUDFLARE_API_TOKEN: token = '' } =
  process.env;
await servePlugin(process.argv.slice(2), () => createCloudflarePlugin({ baseUrl: baseUrl.replace(/\/+$/, ''), token }));
