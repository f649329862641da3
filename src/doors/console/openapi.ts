// What `/api` offers, in OpenAPI 3.1.

const jsonOf = (says: string, schema: object): object => ({
  description: says,
  content: { 'application/json': { schema } },
});

const errorSchema = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: { code: { type: 'string' }, message: { type: 'string' }, hint: { type: 'string' } },
      required: ['code', 'message', 'hint'],
    },
  },
  required: ['error'],
};

export function openApi(version: string): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Stele', version, description: "A hospital's data archive" },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' }, password: { type: 'http', scheme: 'basic' } },
      schemas: { Error: errorSchema },
    },
    security: [{ token: [] }, { password: [] }],
    paths: {
      '/healthz': {
        get: {
          summary: 'Whether it answers',
          security: [],
          responses: { 200: { description: 'it does' }, 503: { description: 'it stops, starts or fails' } },
        },
      },
      '/metrics': {
        get: { summary: 'Metrics for Prometheus', security: [], responses: { 200: { description: 'text' } } },
      },
      '/api/status': {
        get: {
          summary: 'How the archive is: health, packs, disks, keys',
          responses: {
            200: jsonOf('the status', {
              type: 'object',
              properties: {
                archive: { type: 'string' },
                health: { enum: ['good', 'degraded', 'failing'] },
                problems: { type: 'array', items: { type: 'string' } },
              },
              required: ['archive', 'health', 'problems'],
            }),
            401: jsonOf('not logged in', { $ref: '#/components/schemas/Error' }),
          },
        },
      },
      '/api/setup': {
        post: {
          summary: 'Makes the first user, with the secret that a first start prints',
          security: [],
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  properties: { secret: { type: 'string' }, user: { type: 'string' }, password: { type: 'string' } },
                  required: ['secret', 'user', 'password'],
                },
              },
            },
          },
          responses: {
            201: { description: 'made' },
            403: jsonOf('the secret is another, or was used', { $ref: '#/components/schemas/Error' }),
          },
        },
      },
      '/api/openapi.json': {
        get: { summary: 'This page', security: [], responses: { 200: { description: 'OpenAPI' } } },
      },
    },
  };
}
