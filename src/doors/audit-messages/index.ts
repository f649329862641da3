// doors/audit-messages: what was audited, in the words of DICOM.

export { dicomAuditMessage, type MessageSource } from './dicom-audit-message.ts';
