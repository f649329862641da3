// doors/alarms: a door that speaks outward: alarms by mail, syslog, SNMP and webhook.

export { AlarmDoor } from './alarm-door.ts';
