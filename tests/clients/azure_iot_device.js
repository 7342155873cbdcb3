// Azure's device SDK for Node, obeying: a JSON command a line on stdin, an answer on stdout.
//
// Arguments: Mqtt, MqttWs or Http, connection string, file of the CA. Commands as those of
// azure_iot_device.py; over HTTP, "settle" says what becomes of the last message. The method "echo"
// is answered with status 207 and what it was given.
'use strict'
const readline = require('node:readline')
const { Client, Message } = require('azure-iot-device')

const TIMEOUT = 15000
const [kind, connectionString, ca] = process.argv.slice(2)
const transports = {
  Mqtt: () => require('azure-iot-device-mqtt').Mqtt,
  MqttWs: () => require('azure-iot-device-mqtt').MqttWs,
  Http: () => require('azure-iot-device-http').Http
}
const client = Client.fromConnectionString(connectionString, transports[kind]())
const heard = { messages: [], methods: [], patches: [] }
const waiting = { messages: [], methods: [], patches: [] }
let twin
let last

function put (of, item) {
  const waiter = waiting[of].shift()
  if (waiter) waiter(item)
  else heard[of].push(item)
}

function next (of) {
  if (heard[of].length > 0) return Promise.resolve(heard[of].shift())
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`nothing of ${of}`)), TIMEOUT)
    waiting[of].push((item) => {
      clearTimeout(timer)
      resolve(item)
    })
  })
}

function onMessage (message) {
  last = message
  const properties = {}
  for (const { key, value } of message.properties.propertyList) properties[key] = value
  put('messages', {
    data: message.getData().toString(),
    message_id: message.messageId,
    correlation_id: message.correlationId,
    content_type: message.contentType,
    properties
  })
  if (kind !== 'Http') client.complete(message, () => {})
}

const commands = {
  async connect () {
    // Over HTTP it never returns, and NODE_EXTRA_CA_CERTS is enough.
    if (kind !== 'Http') await client.setOptions({ ca })
    await client.open()
    client.on('message', onMessage)
    if (kind === 'Http') return { connected: true }
    client.onDeviceMethod('echo', (request, response) => {
      put('methods', { name: request.methodName, payload: request.payload })
      response.send(207, request.payload)
    })
    twin = await client.getTwin()
    // The first is what was there before.
    let before = true
    twin.on('properties.desired', (patch) => {
      if (!before) put('patches', patch)
      before = false
    })
    return { connected: true }
  },

  async twin () {
    const { desired, reported } = (await twin.get(), twin.properties)
    return { twin: JSON.parse(JSON.stringify({ desired, reported })) }
  },

  async report ({ patch }) {
    await new Promise((resolve, reject) => {
      twin.properties.reported.update(patch, (error) => error ? reject(error) : resolve())
    })
    return {}
  },

  async send ({ data }) {
    const message = new Message(data)
    message.messageId = 't-1'
    message.contentType = 'application/json'
    message.contentEncoding = 'utf-8'
    message.properties.add('Level', 'high & low')
    await client.sendEvent(message)
    return {}
  },

  async sendMany ({ all }) {
    const message = (data) => {
      const one = new Message(data)
      one.properties.add('Level', 'low')
      return one
    }
    await client.sendEventBatch(all.map(message))
    return {}
  },

  async next ({ of }) {
    return { next: await next(of) }
  },

  async settle ({ how }) {
    try {
      await client[how](last)
      return { settled: true }
    } catch (error) {
      return { refused: error.constructor.name }
    }
  },

  async disconnect () {
    await client.close()
    return {}
  }
}

async function main () {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line)
    let answer
    try {
      answer = await commands[command.do](command)
    } catch (error) {
      answer = { error: `${error.constructor.name}: ${error.message}` }
    }
    console.log(JSON.stringify(answer))
  }
  process.exit(0)
}

main()
