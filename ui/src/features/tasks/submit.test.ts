import { describe, expect, it } from 'vitest'
import type { TaskRequest } from '@/api/client'
import { splitWords } from '@/lib/shell'
import { asCurl, asPrompt, draftOf, emptyDraft, requestOf } from './submit'

describe('requestOf', () => {
  it('sends only what differs from what the master takes anyway', () => {
    const { body, errors } = requestOf({
      ...emptyDraft,
      docker_image: ' busybox ',
      args: `sh -c 'echo "hi"'`,
    })
    expect(body).toEqual({ docker_image: 'busybox', args: ['sh', '-c', 'echo "hi"'] })
    expect(errors).toEqual({})
  })

  it('names what is wrong, by field, as the schema has it', () => {
    const { errors } = requestOf({
      ...emptyDraft,
      cpu_required: 0,
      memory_required: 5,
      priority: 101,
      max_retries: 1.5,
      args: `'open`,
      env: 'A=1\nnonsense',
    })
    expect(errors.docker_image).toBe('Is required.')
    expect(errors.cpu_required).toBe('At least 0.01.')
    expect(errors.memory_required).toBe('At least 6.')
    expect(errors.priority).toBe('At most 100.')
    expect(errors.max_retries).toBe('Must be a whole number.')
    expect(errors.args).toMatch(/quote/)
    expect(errors.env).toMatch(/nonsense/)
  })

  it('keeps signs of equality in values', () => {
    expect(requestOf({ ...emptyDraft, docker_image: 'x', env: 'URL=http://a/?b=c' }).body.env).toEqual({
      URL: 'http://a/?b=c',
    })
  })

  it('gives back what a task was made from, its files too', () => {
    const asked: TaskRequest = {
      docker_image: 'alpine',
      args: ['sh', '-c', `echo 'it''s'`, ''],
      name: 'again',
      env: { A: '1', B: 'x=y' },
      timeout: '1m30s',
      memory_required: 64,
      network: 'none',
      labels: { team: 'blue' },
      inputs: [
        { path: 'a.txt', content: 'text' },
        { path: 'b', content: '/wA=', encoding: 'base64' },
      ],
    }
    const whole = { ...asked, cpu_required: 1, priority: 50, max_retries: 0, grace_period: '10s' }
    expect(requestOf(draftOf(whole)).body).toEqual(asked)
  })
})

describe('the same elsewhere', () => {
  const body = {
    docker_image: 'busybox',
    args: ['echo', `it's $HOME`],
    memory_required: 64,
    env: { A: 'b c' },
    workdir: '/w',
  }

  it('curl sends exactly this body', () => {
    const words = splitWords(asCurl(body, 'http://m:8080').replaceAll('\\\n', ' ')) ?? []
    expect(words.slice(0, 3)).toEqual(['curl', '-sS', 'http://m:8080/api/tasks'])
    expect(words).toContain('Authorization: Bearer $TOKEN')
    expect(JSON.parse(words[words.indexOf('-d') + 1] ?? '')).toEqual(body)
  })

  it('the prompt has flags, and what it has none for is named', () => {
    const { line, missing } = asPrompt(body)
    expect(splitWords(line)).toEqual([
      'task',
      'busybox',
      '--mem',
      '64m',
      '--env',
      'A=b c',
      '--',
      'echo',
      `it's $HOME`,
    ])
    expect(missing).toEqual(['workdir'])
  })
})
