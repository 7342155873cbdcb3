// An mqtt.js client that obeys: one JSON command a line on stdin, one JSON answer a line on stdout.
// The commands are those of paho_client.py but for acknowledge, and acks and reauthenticate.
'use strict'
const fs = require('node:fs')
const readline = require('node:readline')
const mqtt = require('mqtt')

const TIMEOUT = 15000

const NAMES = {
  payload_format: 'payloadFormatIndicator',
  expiry: 'messageExpiryInterval',
  content_type: 'contentType',
  response_topic: 'responseTopic',
  correlation_data: 'correlationData',
  user: 'userProperties',
  topic_alias: 'topicAlias',
  subscription_id: 'subscriptionIdentifier',
  session_expiry: 'sessionExpiryInterval',
  receive_max: 'receiveMaximum',
  packet_max: 'maximumPacketSize',
  topic_alias_max: 'topicAliasMaximum',
  auth_method: 'authenticationMethod',
  auth_data: 'authenticationData',
  will_delay: 'willDelayInterval',
  reason_string: 'reasonString',
  assigned_client_id: 'assignedClientIdentifier',
  server_keep_alive: 'serverKeepAlive',
  maximum_qos: 'maximumQoS'
}

function toProperties (given) {
  const made = {}
  for (const [name, value] of Object.entries(given || {})) {
    if (name === 'payload_format') made[NAMES[name]] = value === 1
    else if (name === 'correlation_data') made[NAMES[name]] = Buffer.from(value, 'hex')
    else if (name === 'auth_data') made[NAMES[name]] = Buffer.from(value)
    else if (name === 'auth_hex') made.authenticationData = Buffer.from(value, 'hex')
    else if (name === 'user') {
      made.userProperties = {}
      for (const [k, v] of value) {
        const before = made.userProperties[k]
        made.userProperties[k] = before === undefined ? v : [before, v].flat()
      }
    } else made[NAMES[name]] = value
  }
  return made
}

function fromProperties (properties) {
  const found = {}
  for (const [name, theirs] of Object.entries(NAMES)) {
    const value = properties && properties[theirs]
    if (value === undefined || value === null) continue
    if (name === 'payload_format') found[name] = value ? 1 : 0
    else if (name === 'subscription_id') found[name] = [value].flat()
    else if (name === 'user') {
      const pairs = Object.entries(value)
      found[name] = pairs.flatMap(([k, v]) => [v].flat().map((one) => [k, one]))
    } else if (Buffer.isBuffer(value)) found[name] = value.toString('hex')
    else found[name] = value
  }
  return found
}

// What arrives is queued; who waits is served in order.
class Queue {
  constructor (what) {
    this.what = what
    this.items = []
    this.waiting = []
  }

  put (item) {
    const waiter = this.waiting.shift()
    if (waiter) waiter(item)
    else this.items.push(item)
  }

  get () {
    if (this.items.length > 0) return Promise.resolve(this.items.shift())
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${this.what}`)), TIMEOUT)
      this.waiting.push((item) => {
        clearTimeout(timer)
        resolve(item)
      })
    })
  }
}

const connacks = new Queue('CONNACK')
const messages = new Queue('message')
const closes = new Queue('close')
const auths = new Queue('AUTH')
let client
let last = null
let puback = null
let acks = []

const commands = {
  async connect (c) {
    const options = {
      host: c.host,
      port: c.port,
      protocol: c.path ? 'wss' : c.ca ? 'mqtts' : 'mqtt',
      path: c.path,
      protocolVersion: c.version || 5,
      clientId: c.client_id || '',
      clean: c.clean !== false,
      keepalive: c.keep_alive === undefined ? 60 : c.keep_alive,
      reconnectPeriod: 0,
      resubscribe: false,
      // What is said of the next messages of QoS 1 and 2; 0 when nothing is left.
      customHandleAcks: (topic, message, packet, done) => done(null, acks.shift() || 0),
      username: c.user,
      password: c.password
    }
    if (c.ca) options.ca = fs.readFileSync(c.ca)
    if (c.cert) options.cert = fs.readFileSync(c.cert)
    if (c.key) options.key = fs.readFileSync(c.key)
    if (options.protocolVersion === 5) options.properties = toProperties(c.properties)
    if (c.will) {
      const { topic, payload = '', qos = 0, retain = false, properties } = c.will
      options.will = { topic, payload: Buffer.from(payload), qos, retain }
      if (options.protocolVersion === 5) options.will.properties = toProperties(properties)
    }
    client = mqtt.connect(options)
    client.on('connect', (connack) => connacks.put({
      reason: connack.reasonCode === undefined ? connack.returnCode : connack.reasonCode,
      session_present: connack.sessionPresent,
      properties: fromProperties(connack.properties)
    }))
    client.on('error', (error) => connacks.put({ reason: error.code, what: error.message }))
    client.on('message', (topic, payload, packet) => messages.put({
      topic,
      payload: payload.toString(),
      qos: packet.qos,
      retain: packet.retain,
      dup: packet.dup,
      properties: fromProperties(packet.properties)
    }))
    client.on('disconnect', (packet) => { last = packet })
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'puback') puback = packet
      if (packet.cmd === 'auth') {
        auths.put({ reason: packet.reasonCode, properties: fromProperties(packet.properties) })
      }
    })
    client.on('close', () => closes.put({
      reason: last ? last.reasonCode : 0,
      by_packet: last !== null,
      properties: fromProperties(last && last.properties)
    }))
    return connacks.get()
  },

  async subscribe (c) {
    const filters = {}
    for (const f of c.filters) {
      filters[f.filter] = {
        qos: f.qos || 0,
        nl: f.no_local || false,
        rap: f.retain_as_published || false,
        rh: f.retain_handling || 0
      }
    }
    const options = { properties: toProperties(c.properties) }
    if (Object.keys(options.properties).length === 0) delete options.properties
    try {
      const granted = await client.subscribeAsync(filters, options)
      return { reasons: granted.map((one) => one.qos) }
    } catch (error) {
      if (!error.packet) throw error
      return { reasons: error.packet.granted }
    }
  },

  async unsubscribe (c) {
    await client.unsubscribeAsync(c.filters)
    return {}
  },

  async publish (c) {
    const options = { qos: c.qos || 0, retain: c.retain || false }
    if (c.properties) options.properties = toProperties(c.properties)
    try {
      const payload = (c.payload || '').repeat(c.times || 1)
      const packet = await client.publishAsync(c.topic, payload, options)
      return { reason: (packet && packet.reasonCode) || 0 }
    } catch (error) {
      if (error.code === undefined) throw error
      return { reason: error.code, properties: fromProperties(puback && puback.properties) }
    }
  },

  async receive (c) {
    const found = []
    for (let i = 0; i < (c.count || 1); i++) found.push(await messages.get())
    return { messages: found }
  },

  async acks (c) {
    acks = c.codes
    return {}
  },

  async reauthenticate (c) {
    client._sendPacket({ cmd: 'auth', reasonCode: 0x19, properties: toProperties(c.properties) })
    return auths.get()
  },

  async quiet () {
    return { waiting: messages.items.length }
  },

  async disconnect (c) {
    await client.endAsync(false, c.reason === undefined ? {} : { reasonCode: c.reason })
    return {}
  },

  async closed () {
    return closes.get()
  }
}

async function main () {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line)
    let answer
    try {
      answer = await commands[command.do](command)
    } catch (error) {
      answer = { error: String(error) }
    }
    console.log(JSON.stringify(answer))
  }
  process.exit(0)
}

main()
