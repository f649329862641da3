// Tags of data elements: one unsigned 32-bit number, group * 65,536 + element, so that the order of numbers is the order in a data set.
//
// Keeps: text forms are upper case on the way out and accepted in either case; nothing here knows what a tag means (dictionary.ts does). `tags`
// holds the few that this language and its users name again and again, under their keywords of PS3.6; a test compares them with the dictionary.

export type Tag = number;

export function makeTag(group: number, element: number): Tag {
  return group * 0x1_0000 + element;
}

export function groupOf(tag: Tag): number {
  return tag >>> 16;
}

export function elementOf(tag: Tag): number {
  return tag & 0xffff;
}

export function isPrivateTag(tag: Tag): boolean {
  return (tag & 0x1_0000) !== 0;
}

/** (gggg,0010-00FF) with gggg odd: names the owner of a block of private elements. */
export function isPrivateCreator(tag: Tag): boolean {
  return isPrivateTag(tag) && elementOf(tag) >= 0x10 && elementOf(tag) <= 0xff;
}

/** The private creator element that reserves the block of this private element. */
export function privateCreatorOf(tag: Tag): Tag {
  return makeTag(groupOf(tag), elementOf(tag) >>> 8);
}

export function isGroupLength(tag: Tag): boolean {
  return (tag & 0xffff) === 0;
}

/** Pixel Data, Float Pixel Data, Double Float Pixel Data. */
export function isPixelData(tag: Tag): boolean {
  return tag === 0x7fe0_0010 || tag === 0x7fe0_0008 || tag === 0x7fe0_0009;
}

/** `00100020`, as in DICOM JSON and DICOMweb. */
export function tagHex(tag: Tag): string {
  return tag.toString(16).toUpperCase().padStart(8, '0');
}

/** `(0010,0020)`, for people. */
export function tagText(tag: Tag): string {
  const hex = tagHex(tag);
  return `(${hex.slice(0, 4)},${hex.slice(4)})`;
}

/** A tag from `00100020`, `0010,0020` or `(0010,0020)`; undefined when the text is none of these. */
export function parseTag(text: string): Tag | undefined {
  const match = /^(?:\(([0-9a-f]{4}),([0-9a-f]{4})\)|([0-9a-f]{4}),?([0-9a-f]{4}))$/i.exec(text);
  if (match === null) return undefined;
  return Number.parseInt((match[1] ?? match[3] ?? '') + (match[2] ?? match[4] ?? ''), 16);
}

/** Items and delimiters: structure, not attributes. */
export const itemTag = 0xfffe_e000;
export const itemDelimiterTag = 0xfffe_e00d;
export const sequenceDelimiterTag = 0xfffe_e0dd;

export const tags = {
  CommandGroupLength: 0x0000_0000,
  FileMetaInformationGroupLength: 0x0002_0000,
  FileMetaInformationVersion: 0x0002_0001,
  MediaStorageSOPClassUID: 0x0002_0002,
  MediaStorageSOPInstanceUID: 0x0002_0003,
  TransferSyntaxUID: 0x0002_0010,
  ImplementationClassUID: 0x0002_0012,
  ImplementationVersionName: 0x0002_0013,
  SourceApplicationEntityTitle: 0x0002_0016,
  SendingApplicationEntityTitle: 0x0002_0017,
  ReceivingApplicationEntityTitle: 0x0002_0018,
  SpecificCharacterSet: 0x0008_0005,
  ImageType: 0x0008_0008,
  InstanceCreationDate: 0x0008_0012,
  InstanceCreationTime: 0x0008_0013,
  SOPClassUID: 0x0008_0016,
  SOPInstanceUID: 0x0008_0018,
  StudyDate: 0x0008_0020,
  SeriesDate: 0x0008_0021,
  AcquisitionDate: 0x0008_0022,
  ContentDate: 0x0008_0023,
  AcquisitionDateTime: 0x0008_002a,
  StudyTime: 0x0008_0030,
  SeriesTime: 0x0008_0031,
  AcquisitionTime: 0x0008_0032,
  ContentTime: 0x0008_0033,
  AccessionNumber: 0x0008_0050,
  IssuerOfAccessionNumberSequence: 0x0008_0051,
  QueryRetrieveLevel: 0x0008_0052,
  RetrieveAETitle: 0x0008_0054,
  InstanceAvailability: 0x0008_0056,
  FailedSOPInstanceUIDList: 0x0008_0058,
  Modality: 0x0008_0060,
  ModalitiesInStudy: 0x0008_0061,
  SOPClassesInStudy: 0x0008_0062,
  Manufacturer: 0x0008_0070,
  InstitutionName: 0x0008_0080,
  ReferringPhysicianName: 0x0008_0090,
  CodeValue: 0x0008_0100,
  CodingSchemeDesignator: 0x0008_0102,
  CodeMeaning: 0x0008_0104,
  TimezoneOffsetFromUTC: 0x0008_0201,
  StationName: 0x0008_1010,
  StudyDescription: 0x0008_1030,
  ProcedureCodeSequence: 0x0008_1032,
  SeriesDescription: 0x0008_103e,
  InstitutionalDepartmentName: 0x0008_1040,
  PerformingPhysicianName: 0x0008_1050,
  NameOfPhysiciansReadingStudy: 0x0008_1060,
  OperatorsName: 0x0008_1070,
  ManufacturerModelName: 0x0008_1090,
  ReferencedStudySequence: 0x0008_1110,
  ReferencedPerformedProcedureStepSequence: 0x0008_1111,
  ReferencedSeriesSequence: 0x0008_1115,
  ReferencedImageSequence: 0x0008_1140,
  ReferencedSOPClassUID: 0x0008_1150,
  ReferencedSOPInstanceUID: 0x0008_1155,
  RetrieveURL: 0x0008_1190,
  TransactionUID: 0x0008_1195,
  FailureReason: 0x0008_1197,
  FailedSOPSequence: 0x0008_1198,
  ReferencedSOPSequence: 0x0008_1199,
  DerivationDescription: 0x0008_2111,
  PatientName: 0x0010_0010,
  PatientID: 0x0010_0020,
  IssuerOfPatientID: 0x0010_0021,
  TypeOfPatientID: 0x0010_0022,
  IssuerOfPatientIDQualifiersSequence: 0x0010_0024,
  PatientBirthDate: 0x0010_0030,
  PatientBirthTime: 0x0010_0032,
  PatientSex: 0x0010_0040,
  OtherPatientIDs: 0x0010_1000,
  OtherPatientIDsSequence: 0x0010_1002,
  OtherPatientNames: 0x0010_1001,
  PatientAge: 0x0010_1010,
  PatientSize: 0x0010_1020,
  PatientWeight: 0x0010_1030,
  PatientComments: 0x0010_4000,
  BodyPartExamined: 0x0018_0015,
  SliceThickness: 0x0018_0050,
  ProtocolName: 0x0018_1030,
  PatientPosition: 0x0018_5100,
  StudyInstanceUID: 0x0020_000d,
  SeriesInstanceUID: 0x0020_000e,
  StudyID: 0x0020_0010,
  SeriesNumber: 0x0020_0011,
  AcquisitionNumber: 0x0020_0012,
  InstanceNumber: 0x0020_0013,
  ImagePositionPatient: 0x0020_0032,
  ImageOrientationPatient: 0x0020_0037,
  FrameOfReferenceUID: 0x0020_0052,
  Laterality: 0x0020_0060,
  NumberOfPatientRelatedStudies: 0x0020_1200,
  NumberOfPatientRelatedSeries: 0x0020_1202,
  NumberOfPatientRelatedInstances: 0x0020_1204,
  NumberOfStudyRelatedSeries: 0x0020_1206,
  NumberOfStudyRelatedInstances: 0x0020_1208,
  NumberOfSeriesRelatedInstances: 0x0020_1209,
  SamplesPerPixel: 0x0028_0002,
  PhotometricInterpretation: 0x0028_0004,
  PlanarConfiguration: 0x0028_0006,
  NumberOfFrames: 0x0028_0008,
  Rows: 0x0028_0010,
  Columns: 0x0028_0011,
  PixelSpacing: 0x0028_0030,
  BitsAllocated: 0x0028_0100,
  BitsStored: 0x0028_0101,
  HighBit: 0x0028_0102,
  PixelRepresentation: 0x0028_0103,
  SmallestImagePixelValue: 0x0028_0106,
  LargestImagePixelValue: 0x0028_0107,
  PixelPaddingValue: 0x0028_0120,
  WindowCenter: 0x0028_1050,
  WindowWidth: 0x0028_1051,
  RescaleIntercept: 0x0028_1052,
  RescaleSlope: 0x0028_1053,
  RescaleType: 0x0028_1054,
  LossyImageCompression: 0x0028_2110,
  LossyImageCompressionRatio: 0x0028_2112,
  LossyImageCompressionMethod: 0x0028_2114,
  LUTDescriptor: 0x0028_3002,
  LUTData: 0x0028_3006,
  StudyStatusID: 0x0032_000a,
  RequestedProcedureDescription: 0x0032_1060,
  AdmissionID: 0x0038_0010,
  ScheduledProcedureStepSequence: 0x0040_0100,
  ReferencedNonImageCompositeSOPInstanceSequence: 0x0040_0220,
  PerformedStationAETitle: 0x0040_0241,
  PerformedProcedureStepStartDate: 0x0040_0244,
  PerformedProcedureStepStartTime: 0x0040_0245,
  PerformedProcedureStepStatus: 0x0040_0252,
  PerformedProcedureStepID: 0x0040_0253,
  ScheduledStepAttributesSequence: 0x0040_0270,
  RequestAttributesSequence: 0x0040_0275,
  ScheduledProcedureStepID: 0x0040_0009,
  PerformedSeriesSequence: 0x0040_0340,
  RequestedProcedureID: 0x0040_1001,
  PerformedWorkitemCodeSequence: 0x0040_4019,
  ValueType: 0x0040_a040,
  ConceptNameCodeSequence: 0x0040_a043,
  CompletionFlag: 0x0040_a491,
  VerificationFlag: 0x0040_a493,
  ContentSequence: 0x0040_a730,
  CurrentRequestedProcedureEvidenceSequence: 0x0040_a375,
  OriginalAttributesSequence: 0x0400_0561,
  ModifiedAttributesSequence: 0x0400_0550,
  AttributeModificationDateTime: 0x0400_0562,
  ModifyingSystem: 0x0400_0563,
  SourceOfPreviousValues: 0x0400_0564,
  ReasonForTheAttributeModification: 0x0400_0565,
  WaveformBitsAllocated: 0x5400_1004,
  PerFrameFunctionalGroupsSequence: 0x5200_9230,
  SharedFunctionalGroupsSequence: 0x5200_9229,
  ExtendedOffsetTable: 0x7fe0_0001,
  ExtendedOffsetTableLengths: 0x7fe0_0002,
  FloatPixelData: 0x7fe0_0008,
  DoubleFloatPixelData: 0x7fe0_0009,
  PixelData: 0x7fe0_0010,
  DigitalSignaturesSequence: 0xfffa_fffa,
  DataSetTrailingPadding: 0xfffc_fffc,
} as const;
