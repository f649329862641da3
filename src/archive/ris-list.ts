// A list of studies as a RIS exports it: which columns there are, by the names that Chinese and English systems give them, and what a row says.
//
// Invariants: a row is checked before it is compared, and what is wrong is told by its line alone; a value that says nothing (empty, or of a form that means nothing here) is
// left out rather than guessed. A column may be named by whoever gives the list, which counts more than any name known here.
// Left out on purpose: reading files and character sets, and comparing.

import { ArchiveError, type CsvRow, columnName } from '../base/index.ts';
import { isUid } from '../dicom/index.ts';

export type RisStudy = {
  readonly line: number;
  readonly study: string | undefined;
  readonly accession: string | undefined;
  readonly patientId: string | undefined;
  readonly patientName: string | undefined;
  /** YYYYMMDD. */
  readonly birthDate: string | undefined;
  readonly sex: 'M' | 'F' | undefined;
  readonly date: string | undefined;
  readonly modality: string | undefined;
  /** Images that the RIS counts or expects. */
  readonly images: number | undefined;
};

export const risColumns = {
  study: ['studyinstanceuid', 'studyuid', 'study', '检查uid', '检查实例uid', '检查实例号', '影像uid'],
  accession: [
    'accessionnumber',
    'accession',
    'accessionno',
    'accno',
    '检查号',
    '检查编号',
    '检查流水号',
    '申请单号',
    '登记号',
    '检查单号',
  ],
  patientId: [
    'patientid',
    'pid',
    'patientno',
    'mrn',
    '患者id',
    '病人id',
    '患者编号',
    '病人编号',
    '患者号',
    '病历号',
    '门诊住院号',
  ],
  patientName: ['patientname', 'name', '患者姓名', '病人姓名', '姓名'],
  birthDate: ['patientbirthdate', 'birthdate', 'dateofbirth', 'dob', '出生日期', '生日'],
  sex: ['patientsex', 'sex', 'gender', '性别'],
  date: ['studydate', 'date', 'examdate', 'studydatetime', 'examdatetime', '检查日期', '检查时间', '日期'],
  modality: ['modality', 'modalities', '设备类型', '检查类型', '检查设备类型', '影像类型', '模态'],
  images: [
    'instances',
    'numberofstudyrelatedinstances',
    'images',
    'imagecount',
    'count',
    'expectedimages',
    '图像数',
    '图像数量',
    '影像数',
    '影像数量',
    '图片数',
    '图片数量',
    '应有图像数',
  ],
} as const satisfies Record<string, readonly string[]>;

export type RisColumn = keyof typeof risColumns;
export const risColumnNames = Object.keys(risColumns) as RisColumn[];

export class RisListReader {
  readonly #columns: ReadonlyMap<RisColumn, string>;

  /** ARGUMENT_INVALID when nothing names a study, or a column that was asked for is not there. */
  constructor(names: readonly string[], wanted: Partial<Record<RisColumn, string>> = {}) {
    const columns = new Map<RisColumn, string>();
    for (const column of risColumnNames) {
      const asked = wanted[column] === undefined ? undefined : columnName(wanted[column]);
      if (asked !== undefined && !names.includes(asked))
        throw new ArchiveError('ARGUMENT_INVALID', `the list has no such column for ${column}`);
      const found = asked ?? risColumns[column].find((name) => names.includes(columnName(name)));
      if (found !== undefined) columns.set(column, found);
    }
    if (!columns.has('study') && !columns.has('accession'))
      throw new ArchiveError('ARGUMENT_INVALID', 'the list needs a column of study UIDs or accession numbers', {
        hint: 'name it: --columns accession=NAME',
      });
    this.#columns = columns;
  }

  has(column: RisColumn): boolean {
    return this.#columns.has(column);
  }

  /** ARGUMENT_INVALID. */
  read({ number: line, values }: CsvRow): RisStudy {
    const value = (column: RisColumn): string | undefined => {
      const name = this.#columns.get(column);
      return name === undefined ? undefined : values.get(name) || undefined;
    };
    const wrong = (says: string): ArchiveError =>
      new ArchiveError('ARGUMENT_INVALID', `line ${line} of the list ${says}`);
    const [study, accession, count] = [value('study'), value('accession'), value('images')];
    if (study === undefined && accession === undefined) throw wrong('names no study and no accession number');
    if (study !== undefined && !isUid(study)) throw wrong('has a study UID that is none');
    if (count !== undefined && !/^\d{1,9}$/.test(count)) throw wrong('has a count that is no number');
    return {
      line,
      study,
      accession,
      patientId: value('patientId'),
      patientName: value('patientName'),
      birthDate: dayOf(value('birthDate')),
      sex: sexOf(value('sex')),
      date: dayOf(value('date')),
      modality: modalityOf(value('modality')),
      images: count === undefined ? undefined : Number(count),
    };
  }
}

/** 2024-02-29, 2024/2/9 10:11, 2024年2月9日, 20240229101112. */
function dayOf(text: string | undefined): string | undefined {
  const match = /^(\d{4})(?:(\d\d)(\d\d)|[-/.年](\d{1,2})[-/.月](\d{1,2}))/.exec(text ?? '');
  if (match === null) return undefined;
  const [month, day] = [match[2] ?? match[4] ?? '', match[3] ?? match[5] ?? ''];
  return `${match[1]}${month.padStart(2, '0')}${day.padStart(2, '0')}`;
}

const sexes: Readonly<Record<string, 'M' | 'F'>> = {
  m: 'M',
  male: 'M',
  男: 'M',
  男性: 'M',
  f: 'F',
  female: 'F',
  女: 'F',
  女性: 'F',
};

function sexOf(text: string | undefined): 'M' | 'F' | undefined {
  return sexes[(text ?? '').toLowerCase()];
}

const modalities: Readonly<Record<string, string>> = {
  MRI: 'MR',
  磁共振: 'MR',
  核磁: 'MR',
  核磁共振: 'MR',
  超声: 'US',
  彩超: 'US',
  B超: 'US',
  乳腺: 'MG',
  钼靶: 'MG',
  DSA: 'XA',
  内镜: 'ES',
  胃镜: 'ES',
  PET: 'PT',
  PETCT: 'PT',
};

/** A code of DICOM, or what people say for one. */
function modalityOf(text: string | undefined): string | undefined {
  const word = (text ?? '').toUpperCase().replace(/[\s/-]/g, '');
  const code = modalities[word] ?? word;
  return /^[A-Z]{2,6}$/.test(code) ? code : undefined;
}
