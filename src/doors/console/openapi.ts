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

const texts = (names: readonly string[], others: readonly string[] = []): object => ({
  required: true,
  content: {
    'application/json': {
      schema: {
        type: 'object',
        properties: Object.fromEntries([...names, ...others].map((name) => [name, { type: 'string' }])),
        required: names,
        additionalProperties: false,
      },
    },
  },
});

const whoSchema = {
  type: 'object',
  properties: {
    user: { type: 'string' },
    tenant: { type: 'integer' },
    actions: { type: 'array', items: { type: 'string' } },
    mustChange: { enum: ['provisional', 'old'] },
  },
  required: ['user', 'tenant', 'actions'],
};
const notIn = jsonOf('not logged in', { $ref: '#/components/schemas/Error' });
const heldBack = jsonOf('too many were wrong: none is taken for a while', { $ref: '#/components/schemas/Error' });

/** A browser's log-in: the session is a cookie. */
const sessionPaths = {
  '/api/login': {
    post: {
      summary: 'Logs in; answers codeWanted where a second factor is asked for',
      security: [],
      requestBody: texts(['user', 'password'], ['code']),
      responses: { 200: jsonOf('who one is', whoSchema), 401: notIn, 429: heldBack },
    },
  },
  '/api/logout': { post: { summary: 'Ends the session', security: [], responses: { 204: { description: 'ended' } } } },
  '/api/session': {
    get: { summary: 'Who the session is of', security: [], responses: { 200: jsonOf('who', whoSchema), 401: notIn } },
  },
  '/api/password': {
    post: {
      summary: "Changes one's own password",
      security: [],
      requestBody: texts(['user', 'password', 'next']),
      responses: { 204: { description: 'changed; all sessions have ended' }, 401: notIn, 429: heldBack },
    },
  },
  '/api/factor': {
    post: {
      summary: 'Begins a second factor (TOTP): a URL for an authenticator',
      security: [],
      requestBody: texts(['user', 'password']),
      responses: { 200: jsonOf('the URL', { type: 'object', properties: { url: { type: 'string' } } }), 401: notIn },
    },
  },
  '/api/factor/confirm': {
    post: {
      summary: 'Confirms it with a code: recovery codes, told this once',
      security: [],
      requestBody: texts(['user', 'password', 'code']),
      responses: {
        200: jsonOf('recovery codes', {
          type: 'object',
          properties: { recovery: { type: 'array', items: { type: 'string' } } },
        }),
        401: notIn,
      },
    },
  },
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
      '/readyz': {
        get: {
          summary: 'Whether requests should come here now',
          security: [],
          responses: { 200: { description: 'they should' }, 503: { description: 'it takes no data' } },
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
      '/api/steps': {
        get: {
          summary: 'Procedure steps in progress, and those of which something is not here',
          responses: {
            200: jsonOf('at most a thousand of them', {
              type: 'object',
              properties: {
                steps: { type: 'array', items: { type: 'object' } },
                isAll: { type: 'boolean' },
              },
              required: ['steps', 'isAll'],
            }),
            401: jsonOf('not logged in', { $ref: '#/components/schemas/Error' }),
          },
        },
      },
      '/api/prefetch': {
        post: {
          summary:
            'Older studies of a patient are brought to where an ordered one is to be read, by the rules of stele prefetch',
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  properties: {
                    patientId: { type: 'string' },
                    issuer: { type: 'string' },
                    modality: { type: 'string' },
                    bodyPart: { type: 'string' },
                    study: { type: 'string', description: 'the study that was ordered, which is no prior' },
                    to: { type: 'string', description: 'AE title; without it where the rules say' },
                  },
                  required: ['patientId'],
                },
              },
            },
          },
          responses: {
            202: jsonOf('what is sent, durable when it is answered', {
              type: 'object',
              properties: {
                priors: {
                  type: 'array',
                  items: {
                    type: 'object',
                    properties: {
                      study: { type: 'string' },
                      rule: { type: 'string' },
                      to: { type: 'string' },
                      state: { enum: ['queued', 'waiting', 'held', 'planned'] },
                    },
                    required: ['study', 'rule', 'state'],
                  },
                },
              },
              required: ['priors'],
            }),
            401: jsonOf('not logged in', { $ref: '#/components/schemas/Error' }),
            403: jsonOf('no right to send', { $ref: '#/components/schemas/Error' }),
            404: jsonOf('no such application entity', { $ref: '#/components/schemas/Error' }),
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
      ...sessionPaths,
      '/api/openapi.json': {
        get: { summary: 'This page', security: [], responses: { 200: { description: 'OpenAPI' } } },
      },
    },
  };
}
